// Replies as streams that survive lost connections: they resume after the last word that arrived.
import { createParser } from "../vendor/eventsource-parser.js";
import { ask, cancelReply, Problem, Unreachable } from "./client.js";

const SILENCE_MS = 45_000; // the server sends something at least every fifteen seconds
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;
const PATIENCE_MS = 60_000;

/**
 * A message with its idempotency key: sent twice, it is answered once. It may edit the message of a reply or regenerate a
 * reply; then `beside` has the ids of the branches beside which it begins one. `stopsOthers`: it ends what is running.
 * @typedef {{ text: string, key: string, edits?: string, regenerates?: string, beside?: string[], stopsOthers?: boolean }} Said
 */

/**
 * Events of a reply:
 * @typedef {{ kind: "begun", replyId: string, conversationId: string }
 *   | { kind: "words", text: string }
 *   | { kind: "lost" } | { kind: "back" }
 *   | { kind: "done", reply: any }
 *   | { kind: "failed", problem: Problem }} News
 */

/** @returns {Said} */
export const newMessage = (/** @type {string} */ text) => ({ text, key: randomKey() });

/**
 * Send a message, and follow the reply to its end. If the message was sent before and its reply failed, a new reply is
 * generated. The reply continues without readers, so that the user can open another conversation meanwhile.
 *
 * Throws `Problem` if there is no reply, `Unreachable` if it is lost.
 * @returns {AsyncGenerator<News>}
 */
export function talk(/** @type {Said} */ said, conversationId, signal) {
  const body = {
    ...(said.regenerates ? { regenerates: said.regenerates } : { user_message: said.text }),
    ...(said.edits && { edits: said.edits }),
    ...(said.stopsOthers && { on_busy: "cancel" }),
    on_disconnect: "continue",
    ...(conversationId && { conversation_id: conversationId }),
  };
  const headers = { Accept: "text/event-stream", "Idempotency-Key": said.key };
  return follow((signal) => ask("POST", "api/chat", { headers, body, signal }), null, signal);
}

/** Follow an existing reply from its first word. @returns {AsyncGenerator<News>} */
export function reread(replyId, signal) {
  return follow((signal) => read(replyId, 0, signal), replyId, signal);
}

/** Cancel a reply. The request is retried until it arrives. Throws `Problem` if the server refuses it. */
export async function cancel(/** @type {string} */ replyId) {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = longer(pauseMs)) {
    try {
      return await cancelReply(replyId);
    } catch (error) {
      if (!(error instanceof Unreachable || error.retryable)) throw error;
      await pause(atLeast(error, pauseMs));
    }
  }
}

const read = (replyId, after, signal) =>
  ask("GET", `api/replies/${replyId}/events`, {
    headers: { Accept: "text/event-stream", ...(after && { "Last-Event-ID": `${replyId}:${after}` }) },
    signal,
  });

/** @returns {AsyncGenerator<News>} */
async function* follow(begin, replyId, signal) {
  let after = 0;
  let pauseMs = FIRST_PAUSE_MS;
  let lostAt = 0;
  for (;;) {
    try {
      const response = await (after ? read(replyId, after, signal) : begin(signal));
      if (lostAt) yield { kind: "back" };
      lostAt = 0;
      if (!after) {
        replyId = response.headers.get("Reply-Id") ?? replyId;
        yield { kind: "begun", replyId, conversationId: response.headers.get("Conversation-Id") };
      }
      for await (const events of batches(response.body, signal)) {
        let text = "";
        let end = null;
        for (const event of events) {
          if (!event.event) {
            if (Number(event.id?.split(":")[1]) !== after + 1) throw new Unreachable(); // a word is missing
            after += 1;
            text += event.data;
          } else if (event.event === "done" || event.event === "failed") end = event;
        }
        if (text) yield { kind: "words", text };
        if (text) pauseMs = FIRST_PAUSE_MS;
        if (end) {
          const data = JSON.parse(end.data);
          yield end.event === "done" ? { kind: "done", reply: data } : { kind: "failed", problem: new Problem(data) };
          return;
        }
      }
      throw new Unreachable(); // the stream ended, but the reply did not
    } catch (error) {
      signal.throwIfAborted();
      if (!lostAt || !navigator.onLine) lostAt = performance.now(); // nobody gives up while the device is offline
      const isPassing = error instanceof Unreachable || (replyId && isServersTrouble(error));
      if (!isPassing || performance.now() - lostAt > PATIENCE_MS) throw error;
      yield { kind: "lost" };
      await pause(atLeast(error, pauseMs), signal);
      pauseMs = longer(pauseMs);
    }
  }
}

/** Whether an existing reply is temporarily unavailable. (The error of a failed reply has the reply's id.) */
const isServersTrouble = (error) => error instanceof Problem && [429, 503].includes(error.status) && !error.replyId;

/** The events of each chunk from the network. Throws `Unreachable` if nothing arrives for too long. */
async function* batches(body, signal) {
  let events = [];
  const parser = createParser({ onEvent: (event) => events.push(event) });
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await inTime(reader.read(), signal);
      if (done) return;
      parser.feed(value);
      if (events.length) yield events;
      events = [];
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function inTime(promise, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Unreachable()), SILENCE_MS);
    promise
      .then(resolve, (error) => reject(signal.aborted ? error : new Unreachable()))
      .finally(() => clearTimeout(timer));
  });
}

/** Wait for this long, or until the browser is back online. */
function pause(milliseconds, /** @type {AbortSignal | undefined} */ signal = undefined) {
  return new Promise((resolve, reject) => {
    const over = new AbortController();
    const end = (settle) => () => {
      over.abort();
      clearTimeout(timer);
      settle(signal?.reason);
    };
    const timer = setTimeout(end(resolve), milliseconds);
    addEventListener("online", end(resolve), { signal: over.signal });
    signal?.addEventListener("abort", end(reject), { signal: over.signal });
  });
}

/** The pause with jitter, so that pages do not all reconnect at once, and at least what the server asks for. */
const atLeast = (error, pauseMs) => Math.max(pauseMs * (0.5 + Math.random() / 2), 1000 * (error.retryAfterSeconds ?? 0));

const longer = (pauseMs) => Math.min(pauseMs * 2, LONGEST_PAUSE_MS);

/** `crypto.randomUUID` requires a secure context; this page may be served over plain HTTP in a local network. */
const randomKey = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(16)).join("-");
