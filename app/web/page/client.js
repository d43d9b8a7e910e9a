// The page's client for the API. Every failure is a `Problem` from the server, or an `Unreachable`.
import { device, tab } from "./memory.js";

const KEY = "chat.key";
const POSSIBLE_KEY = /^[!-~]+$/; // anything else cannot be sent in a header

/** Texts for people, where the API's own text is for developers. */
const FOR_PEOPLE = {
  "access-ended": "Your key was revoked or has expired. Try again to enter another one.",
  "conversation-busy": "Wait until the current reply is complete, or stop it. Then try again.",
  "conversation-not-found": "It may have been deleted. Start a new chat.",
  "credentials-missing": "Enter an API key or a token.",
  "internal": "The server has a defect. Report it to the server's operator.",
  "invalid-body": "Change the message and send it again.",
  "invalid-token": "The key is unknown, expired or revoked. Enter another one.",
  "message-refused": "Change the message and send it again.",
  "reply-elsewhere": "The server cannot show this reply yet. Wait a moment, then try again.",
  "stream-limit-reached": "Too many of your replies are running. Stop one, or wait a moment. Then try again.",
};

/** An error reported by the server (RFC 9457). */
export class Problem extends Error {
  /** @param {any} told @param {Response | null} response */
  constructor(told, response = null) {
    const type = told.type.replace("urn:problem:", "");
    const header = (name) => response?.headers.get(name) ?? "";
    super(FOR_PEOPLE[type] ?? told.detail.replace("Wait as long as Retry-After says.", "Wait a moment, then try again."));
    this.type = type;
    this.title = told.title;
    this.status = told.status;
    this.retryable = told.retryable;
    this.errors = told.errors ?? [];
    this.conversationId = header("Conversation-Id");
    this.replyId = header("Reply-Id");
    this.requestId = type === "internal" ? header("X-Request-Id") : "";
    this.retryAfterSeconds = Number(header("Retry-After"));
  }
}

/** There is no response, or it broke off. */
export class Unreachable extends Error {
  constructor() {
    super(
      navigator.onLine
        ? "The server cannot be reached. Check your connection, or try again later."
        : "You are offline. Try again when you are back online.",
    );
  }
}

/** The key for requests, if there is one. */
export const key = {
  get: () => tab.get(KEY) ?? device.get(KEY),
  set(/** @type {string} */ value, /** @type {boolean} */ isToStay) {
    key.forget();
    (isToStay ? device : tab).set(KEY, value);
  },
  forget() {
    tab.remove(KEY);
    device.remove(KEY);
  },
};

/**
 * URLs are relative to the page's, so a proxy's path prefix is kept. Throws `Problem` or `Unreachable`.
 * @param {string} method
 * @param {string} path
 * @param {{ headers?: Record<string, string>, body?: object, signal?: AbortSignal }} options
 */
export async function ask(method, path, { headers = {}, body, signal } = {}) {
  const shown = key.get();
  if (shown && !POSSIBLE_KEY.test(shown)) throw impossibleKey();
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
  throw new Unreachable(); // a proxy's own page: the server is down
}

function impossibleKey() {
  const told = { type: "urn:problem:impossible-key", title: "This is not a key", status: 401, retryable: false };
  return new Problem({ ...told, detail: "A key has only Latin letters, digits and punctuation, without spaces. Copy it again." });
}

/** Who answers, and within which limits. */
export const service = async () => (await ask("GET", "api/service")).json();

/** A page of the list, most recently updated first; with `search`, of those in which the words are found. */
export async function conversations(/** @type {string} */ cursor, search = "", /** @type {AbortSignal | undefined} */ signal = undefined) {
  const query = new URLSearchParams({ ...(cursor && { cursor }), ...(search && { search }) });
  return (await ask("GET", `api/conversations${query.size ? `?${query}` : ""}`, { signal })).json();
}

/** A conversation with a page of its messages, newest first. */
export async function conversation(id, limit, cursor, signal) {
  const query = new URLSearchParams({ order: "desc", limit, ...(cursor && { cursor }) });
  return (await ask("GET", `api/conversations/${id}?${query}`, { signal })).json();
}

/** Rename a conversation, or choose the branch that is shown. */
export const updateConversation = async (/** @type {string} */ id, /** @type {{ title?: string, branch?: string }} */ body) =>
  (await ask("PATCH", `api/conversations/${id}`, { body })).json();

/** The whole conversation as a file: `how` is the path of a format. */
export const exported = async (/** @type {string} */ id, /** @type {"markdown" | "export"} */ how) =>
  (await ask("GET", `api/conversations/${id}/${how}`)).blob();

export const deleteConversations = () => ask("DELETE", "api/conversations");

export const giveFeedback = (/** @type {string} */ replyId, /** @type {{ rating: string, note?: string }} */ body) =>
  ask("PUT", `api/replies/${replyId}/feedback`, { body });

export const withdrawFeedback = (/** @type {string} */ replyId) => ask("DELETE", `api/replies/${replyId}/feedback`);

export const deleteConversation = (id) => ask("DELETE", `api/conversations/${id}`);

export const cancelReply = (id) => ask("POST", `api/replies/${id}/cancel`);
