// The API, as the page uses it. Every failure is a `Problem` that the server tells, or an `Unreachable`.

const KEY = "chat.key";

/** Where what the server tells programs to do is nothing that people can do here. */
const FOR_PEOPLE = {
  "conversation-busy": "Wait for the end of the reply that is being made here, or stop it.",
  "conversation-not-found": "It may have been deleted. Begin a new chat.",
};
const forPeople = (/** @type {string} */ detail) => detail.replace(/\bas Retry-After says\b/, "a little");

/** What the server tells when something is wrong (RFC 9457). */
export class Problem extends Error {
  constructor(told, response) {
    const type = told.type.replace("urn:problem:", "");
    super(FOR_PEOPLE[type] ?? forPeople(told.detail));
    this.type = type;
    this.title = told.title;
    this.status = told.status;
    this.retryable = told.retryable;
    this.errors = told.errors ?? [];
    this.conversationId = response?.headers.get("Conversation-Id") ?? "";
    this.retryAfterSeconds = Number(response?.headers.get("Retry-After") ?? 0);
  }
}

/** Nobody answers, or the answer broke off. */
export class Unreachable extends Error {
  constructor() {
    super(navigator.onLine ? "The server cannot be reached." : "You are offline.");
  }
}

/** The key that requests show, if there is one. */
export const key = {
  get: () => sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY),
  set(/** @type {string} */ value, /** @type {boolean} */ isToStay) {
    key.forget();
    (isToStay ? localStorage : sessionStorage).setItem(KEY, value);
  },
  forget() {
    sessionStorage.removeItem(KEY);
    localStorage.removeItem(KEY);
  },
};

/**
 * Addresses are relative to the page's, so a prefix that a proxy adds is kept. Raises `Problem` or `Unreachable`.
 * @param {string} method
 * @param {string} path
 * @param {{ headers?: Record<string, string>, body?: object, signal?: AbortSignal }} options
 */
export async function ask(method, path, { headers = {}, body, signal } = {}) {
  const shown = key.get();
  const response = await fetch(path, {
    method,
    headers: {
      ...headers,
      ...(shown && { Authorization: `Bearer ${shown}` }),
      ...(body && { "Content-Type": "application/json" }),
    },
    body: body && JSON.stringify(body),
    signal,
    cache: "no-store",
  }).catch((error) => {
    throw signal?.aborted ? error : new Unreachable();
  });
  if (response.ok) return response;
  const told = await response.json().catch(() => null);
  if (told?.type?.startsWith("urn:problem:")) throw new Problem(told, response);
  throw new Unreachable(); // a proxy's own page: the server is not there
}

export async function conversations(/** @type {string} */ cursor) {
  const query = cursor ? `?cursor=${encodeURIComponent(cursor)}` : "";
  return (await ask("GET", `api/conversations${query}`)).json();
}

/** A page of a conversation, with its messages, oldest first. */
export async function conversation(id, cursor, signal) {
  const query = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
  return (await ask("GET", `api/conversations/${id}?limit=100${query}`, { signal })).json();
}

export const deleteConversation = (id) => ask("DELETE", `api/conversations/${id}`);

export const cancelReply = (id) => ask("DELETE", `api/replies/${id}`);
