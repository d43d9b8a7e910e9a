// What the page uses of it.
export function createParser(callbacks: { onEvent: (event: { id?: string; event?: string; data: string }) => void }): {
  feed(text: string): void;
};
