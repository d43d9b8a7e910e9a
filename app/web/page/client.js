// The page's client for the API. Every failure is a `Problem` from the server, or an `Unreachable`.
import { hasText, t } from "./language.js";
import { device, tab } from "./memory.js";

const KEY = "chat.key";
const POSSIBLE_KEY = /^[!-~]+$/; // anything else cannot be sent in a header

/** An error reported by the server (RFC 9457). */
export class Problem extends Error {
  /** @param {any} told @param {Response | null} response @param {string | null} shown The key of the request. */
  constructor(told, response = null, shown = key.get()) {
    const type = told.type.replace("urn:problem:", "");
    const header = (name) => response?.headers.get(name) ?? "";
    const name = hasText(`problem.${type}`) ? `problem.${type}` : "problem.other";
    super(t(/** @type {any} */ (`${name}.do`)));
    this.type = type;
    this.title = t(/** @type {any} */ (name));
    this.status = told.status;
    this.shown = shown;
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
    super(t(navigator.onLine ? "unreachable" : "unreachable.offline"));
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
  if (shown && !POSSIBLE_KEY.test(shown)) throw impossibleKey(shown);
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
  if (told?.type?.startsWith("urn:problem:")) throw new Problem(told, response, shown);
  throw new Unreachable(); // a proxy's own page: the server is down
}

/**
 * As `ask`, with the body of the response.
 * @param {Parameters<typeof ask>[0]} method
 * @param {Parameters<typeof ask>[1]} path
 * @param {Parameters<typeof ask>[2]} options
 * @returns {Promise<any>}
 */
async function askFor(method, path, options = {}, /** @type {"json" | "blob"} */ form = "json") {
  const response = await ask(method, path, options);
  try {
    return await response[form]();
  } catch (error) {
    throw options.signal?.aborted ? error : new Unreachable();
  }
}

function impossibleKey(/** @type {string} */ shown) {
  return new Problem({ type: "urn:problem:impossible-key", status: 401, retryable: false }, null, shown);
}

/** Who answers, and within which limits. */
export const service = () => askFor("GET", "api/service");

/** A page of the list, most recently updated first; with `search`, of those in which the words are found. */
export async function conversations(/** @type {string} */ cursor, search = "", /** @type {AbortSignal | undefined} */ signal = undefined) {
  const query = new URLSearchParams({ ...(cursor && { cursor }), ...(search && { search }) });
  return askFor("GET", `api/conversations${query.size ? `?${query}` : ""}`, { signal });
}

/** A conversation with a page of its messages, newest first. */
export async function conversation(id, limit, cursor, signal) {
  const query = new URLSearchParams({ order: "desc", limit, ...(cursor && { cursor }) });
  return askFor("GET", `api/conversations/${id}?${query}`, { signal });
}

/** Rename a conversation, or choose the branch that is shown. */
export const updateConversation = (/** @type {string} */ id, /** @type {{ title?: string, branch?: string }} */ body) =>
  askFor("PATCH", `api/conversations/${id}`, { body });

/** The whole conversation as a file: `how` is the path of a format. */
export const exported = (/** @type {string} */ id, /** @type {"markdown" | "export"} */ how) =>
  askFor("GET", `api/conversations/${id}/${how}`, {}, "blob");

export const deleteConversations = () => ask("DELETE", "api/conversations");

export const giveFeedback = (/** @type {string} */ replyId, /** @type {{ rating: string, note?: string }} */ body) =>
  ask("PUT", `api/replies/${replyId}/feedback`, { body });

export const withdrawFeedback = (/** @type {string} */ replyId) => ask("DELETE", `api/replies/${replyId}/feedback`);

export const deleteConversation = (id) => ask("DELETE", `api/conversations/${id}`);

export const cancelReply = (id) => ask("POST", `api/replies/${id}/cancel`);
