// What helps when a reply cannot be followed: its turn offers to go on, to send the message again or elsewhere, or to edit
// it; and what could not be sent goes back to where it was written.
import { Problem, Unreachable } from "./client.js";
import { focusBox, giveBack, sent } from "./composer.js";
import { askForKey } from "./dialogs.js";
import { wish } from "./elements.js";
import { t } from "./language.js";
import { begin, list, log, open, showOpen } from "./open.js";
import { newMessage } from "./replies.js";
import { notify } from "./view.js";

/** @typedef {import("./replies.js").Said} Said */
/** @typedef {import("./turns.js").ReplyTurn} ReplyTurn */

/**
 * A reply that cannot be followed, to a message in a conversation that is open or was it. `replyId`: if it had begun.
 * `cut`: what its branch has replaced.
 * @typedef {{ here: typeof open, replyId: string, turn: ReplyTurn, said: Said, cut: Element[] }} Failed
 */

/**
 * How the page goes on. Those that may be impossible now return whether they are not.
 * @typedef {{
 *   send: (said: Said, options?: { to?: any, instead?: ReplyTurn, cut?: Element[] }) => boolean,
 *   resume: (failed: Failed) => boolean,
 *   openConversation: (id: string) => Promise<void>,
 *   showBranch: (replyId: string) => Promise<void>,
 * }} Ways
 */

/** @returns {any} */
const byId = (/** @type {string} */ id) => document.getElementById(id);

/** Handle an error after which a reply cannot be followed. */
export async function recover(/** @type {any} */ error, /** @type {Failed} */ failed, /** @type {Ways} */ ways) {
  const { here, replyId, turn, said, cut } = failed;
  const isUnsent = !replyId && !error.conversationId && !said.regenerates;
  if (isUnsent && here !== open) tellElsewhere(said, error);
  if (here !== open) return;
  if (isUnsent) here.unsent.set(said.key, said.text);
  const again = () => ways.send(said, { to: turn.to, instead: turn, cut });
  if (error instanceof Unreachable && replyId) {
    turn.fail(error, t("reconnect"), () => ways.resume(failed));
  } else if (!(error instanceof Problem)) {
    turn.fail(error, t("again"), again);
  } else if (error.status === 401) {
    await withAnotherKey(error, failed, again, ways);
  } else if (!replyId) {
    offerToSend(error, failed, again, ways);
  } else if (log.querySelector(".editing")) {
    // It cannot be followed any more, but what is stored is not shown while a message is edited: its text would be lost.
    turn.fail(error, t("reconnect"), () => Boolean(ways.openConversation(here.id)));
  } else {
    void ways.openConversation(here.id);
  }
}

/** The user has left the conversation meanwhile. */
function tellElsewhere(/** @type {Said} */ said, error) {
  giveBack(said.text);
  notify([error.title && `${error.title}.`, error.message].filter(Boolean).join(" "));
}

/** Ask for a key. Without one, what the message has replaced is shown again, and its text is where it was written. */
async function withAnotherKey(error, /** @type {Failed} */ failed, /** @type {() => boolean} */ again, /** @type {Ways} */ ways) {
  const { here, replyId, turn, said, cut } = failed;
  const isAgreed = await askForKey(error);
  if (here !== open) return;
  if (isAgreed) return void (replyId ? ways.resume(failed) : again());
  if (replyId) return turn.fail(error, t("reconnect"), () => ways.resume(failed));
  const isBeside = said.edits ?? said.regenerates;
  if (isBeside && !cut.length) return turn.fail(error, t("again"), again);
  if (!isBeside) return takeBack(failed, ways);
  here.unsent.delete(said.key);
  turn.element.remove();
  if (said.edits) turn.to.element.remove();
  else sent.forget(said);
  log.append(...cut); // an edited message with its editor
  /** @type {HTMLElement} */ (log.querySelector(".editing textarea") ?? byId("message")).focus();
}

/** The message has no reply: offer what helps, depending on what is wrong. */
function offerToSend(/** @type {Problem} */ error, /** @type {Failed} */ failed, /** @type {() => boolean} */ again, /** @type {Ways} */ ways) {
  const { here, turn, said, cut } = failed;
  if (error.conversationId) sent.keep(said, error.conversationId, true);
  here.id ||= error.conversationId; // the message is stored there, and the next one belongs there, too
  showOpen();
  if (error.type === "conversation-not-found") {
    turn.fail(error, t("new.send"), () => {
      here.unsent.delete(said.key);
      begin();
      return ways.send(newMessage(said.text));
    });
  } else if (error.type === "conversation-busy") {
    turn.fail(error, t("stop.others"), () => ways.send({ ...said, stopsOthers: true }, { to: turn.to, instead: turn, cut }));
  } else if ([413, 422].includes(error.status)) {
    turn.fail(error, t("edit"), () => (takeBack(failed, ways), true));
  } else {
    turn.fail(error, t("again"), again);
  }
  void list.refresh();
}

/** Take the message back into the box, and show the branch that it has left. */
function takeBack(/** @type {Failed} */ { here, turn, said }, /** @type {Ways} */ ways) {
  const left = said.edits ?? said.regenerates;
  here.unsent.delete(said.key);
  turn.to.element.remove();
  turn.element.remove();
  if (left) void ways.showBranch(left); // the branch that it began is not wanted
  if (!said.regenerates) giveBack(said.text);
  focusBox();
  if (!left) wish(log, "ended", turn);
}
