// What the programs here have in common: what they are asked to do, and how they tell what they hear.

declare const process: { argv: string[] };

interface Asked {
  /** Where the service is, without a slash at the end. */
  url: string;
  message: string;
  idempotencyKey: string | null;
  /** How long to wait before asking again; null for as long as the client does by itself. */
  retryMs: number | null;
  /** Whether to say to the client what it does not see by itself. */
  careful: boolean;
}

export const asked: Asked = JSON.parse(process.argv[2]);

/** More than a test needs. By themselves, both clients try for ever. */
export const MAX_ATTEMPTS = 100;

/** Print an event, as a line of JSON. */
export const tell = (id: string | undefined, name: string | undefined, data: unknown): void =>
  console.log(JSON.stringify({ id, name, data }));
