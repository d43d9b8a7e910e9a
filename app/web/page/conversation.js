// The open conversation: showing it, sending, and following its running reply.
import { announce } from "./announce.js";
import { focusStep, switcherOf } from "./branches.js";
import { updateConversation } from "./client.js";
import { sent } from "./composer.js";
import { nameDays } from "./days.js";
import { withKey } from "./dialogs.js";
import { wish } from "./elements.js";
import { isSomewhere, keepFocus } from "./focus.js";
import { beginning, t } from "./language.js";
import { begin, isReady, list, log, open, others, showOpen } from "./open.js";
import { endOf, loadUntil } from "./past.js";
import { recover } from "./recovery.js";
import { cancel, newMessage, reread, talk } from "./replies.js";
import { UserTurn } from "./said.js";
import { lookForTitle } from "./titles.js";
import { ending, ReplyTurn } from "./turns.js";
import { goToEnd, holdAt, keepEndInSight, notify, showRunning } from "./view.js";

/** @typedef {import("./replies.js").Said} Said */

/** @returns {any} */
const byId = (/** @type {string} */ id) => document.getElementById(id);

// Opening

/**
 * Show a conversation, whose switcher among branches at this `place` stays where it is, from the top of the window.
 * @param {string} id
 * @param {{ top: number, replyId: string, author: string, step: number } | null} place
 */
export async function openConversation(id, place = null) {
  begin(id);
  const here = open;
  here.isLoading = true;
  try {
    const { title, turns, running, to } = await endOf(id, here.closed.signal, storedReply);
    if (here !== open) return;
    Object.assign(here, { title, isLoading: false });
    showOpen();
    keepFocus(() => log.replaceChildren(...turns), () => place && byId("scroller")); // until the switcher is there
    nameDays(log);
    goToEnd();
    if (running) {
      const { reply_id: replyId, branches } = running;
      const said = saidIn(id, running, to.text);
      sent.arrive(said, id);
      void follow(reread(replyId, here.left.signal), said, { replyId, branches, to });
    }
    if (!place) return;
    await loadUntil(() => here !== open || Boolean(switcherOf(log, place.replyId, place.author)));
    const switcher = here === open && switcherOf(log, place.replyId, place.author);
    if (switcher) {
      void holdAt(place.top, switcher);
      if (!isSomewhere(document.activeElement) || document.activeElement === byId("scroller")) focusStep(switcher, place.step);
    }
  } catch (error) {
    if (here !== open) return;
    here.isLoading = false;
    keepFocus(() => log.replaceChildren());
    const turn = new ReplyTurn(null, keepEndInSight);
    log.append(turn.element);
    turn.fail(error, t("again"), error.status === 404 ? undefined : () => Boolean(openConversation(id)));
  }
}

/**
 * What sends a message again whose reply was begun earlier, if that fails. A message of another tab is there already, and
 * its key is not known: it is answered anew, on a branch beside the failed reply.
 * @returns {Said}
 */
function saidIn(conversationId, { reply_id: replyId, branches }, /** @type {string} */ text) {
  const said = sent.as(text, conversationId);
  if (sent.has(said)) return said;
  return { ...said, regenerates: replyId, beside: branches?.reply_ids ?? [replyId] };
}

async function storedReply(message, /** @type {UserTurn} */ to, isLast) {
  const { text, state, finish_reason: finishReason, branches } = message;
  const turn = new ReplyTurn(to);
  turn.branches.show(branches);
  turn.add(text);
  await turn.drawn();
  const again = sent.as(to.text, open.id);
  const isOurs = isLast && !finishReason && sent.has(again); // then it is replaced, without a branch
  turn.end(finishReason ?? state, message, isOurs ? () => send(again, { to, instead: turn }) : undefined);
  return turn.element;
}

/** Show another branch; the server remembers which one. */
export async function showBranch(/** @type {string} */ replyId, place = null) {
  const here = open;
  here.isLoading = true;
  try {
    await withKey(() => updateConversation(here.id, { branch: replyId }));
    others.postMessage({ begun: here.id });
    if (here === open) await openConversation(here.id, place);
    else if (here.id === open.id && !open.turn) await openConversation(here.id); // it was shown anew meanwhile
  } catch (error) {
    here.isLoading = false;
    notify(t("branch.failed", { why: error.message }));
  }
}

// Sending

/**
 * Send a message, which is shown as `to`. A retry replaces the turn `instead`, of a failed reply. `cut`: what a new branch
 * has replaced. Returns whether sending is possible now.
 * @param {Said} said
 * @param {{ to?: UserTurn, instead?: ReplyTurn | null, cut?: Element[] }} options
 */
export function send(said, { to = new UserTurn(said.text), instead = null, cut = [] } = {}) {
  if (!isReady()) return false;
  if (!open.id) open.title = beginning(said.text.slice(0, 4_000).replace(/\s+/g, " ").trim(), 80);
  if (!to.element.isConnected) log.append(to.element);
  nameDays(log);
  sent.keep(said, open.id, false);
  open.unsent.delete(said.key);
  goToEnd();
  void follow(talk(said, open.id, open.left.signal), said, { to, instead, cut });
  return true;
}

/** Answer a message anew, on a branch beside the reply. Prevents the wish's default if that is not possible now. */
export function regenerate(/** @type {CustomEvent} */ event) {
  if (!isReady()) return event.preventDefault();
  const turn = event.detail;
  const { to, replyId, branches } = turn;
  const cut = cutFrom(turn.element);
  send({ ...newMessage(to.text), regenerates: replyId, beside: besides(branches, replyId) }, { to, cut });
  byId("stop").focus(); // what had it is gone
}

/** Send a message in other words, on a branch beside it. As `regenerate`. */
export function edit(/** @type {CustomEvent} */ event) {
  if (!isReady()) return event.preventDefault();
  const { turn, text } = event.detail;
  const cut = cutFrom(turn.element);
  send({ ...newMessage(text), edits: turn.replyId, beside: besides(turn.branches, turn.replyId) }, { cut });
  byId("stop").focus();
}

const besides = (branches, replyId) => (branches.ids.length ? branches.ids : [replyId]);

/** Remove a turn and all that follow: they are on another branch now. Returns them. */
function cutFrom(element) {
  const turns = [...log.children];
  const cut = turns.slice(turns.indexOf(element));
  for (const turn of cut) turn.remove();
  return cut;
}

/**
 * Show a reply while it is generated.
 * @param {AsyncGenerator<import("./replies.js").News>} news
 * @param {Said} said
 * @param {{ to: UserTurn, replyId?: string, instead?: ReplyTurn | null, cut?: Element[], branches?: import("./branches.js").Branches }} options
 */
async function follow(news, said, { to, replyId = "", instead = null, cut = [], branches = undefined }) {
  const here = open;
  const turn = new ReplyTurn(to, () => here === open && keepEndInSight());
  turn.branches.show(branches);
  Object.assign(here, { turn, replyId, isNew: !replyId });
  if (instead?.element.isConnected) instead.element.replaceWith(turn.element);
  else log.append(turn.element);
  showRunning(true);
  keepEndInSight();
  let failure = null;
  try {
    for await (const item of news) {
      if (item.kind === "done" || item.kind === "failed") await turn.drawn();
      show(item, here, turn, said);
    }
  } catch (error) {
    failure = error;
    await turn.drawn();
  }
  const failed = { here, replyId: here.replyId, turn, said, cut };
  Object.assign(here, { turn: null, replyId: "", isStopping: false });
  if (here === open) showRunning(false);
  if (failure) await recover(failure, failed, { send, resume, openConversation, showBranch });
  if (here === open) wish(log, "ended", turn);
}

/** Follow a reply on, in its place. Returns whether that is possible now. */
function resume(/** @type {import("./recovery.js").Failed} */ { here, replyId, turn, said }) {
  const options = { to: turn.to, replyId, instead: turn, branches: turn.branches.shown };
  return isReady() && Boolean(follow(reread(replyId, here.left.signal), said, options));
}

function show(item, here, /** @type {ReplyTurn} */ turn, /** @type {Said} */ said) {
  switch (item.kind) {
    case "begun":
      here.replyId = item.replyId;
      here.id ||= item.conversationId;
      turn.to.replyId = item.replyId;
      if (here.isNew && said.beside) {
        const branches = { index: said.beside.length, reply_ids: [...said.beside, item.replyId] };
        (said.edits ? turn.to : turn).branches.show(branches);
      }
      if (here.isNew) sent.keep(said, here.id, true);
      if (here.isStopping) void stopReply(here);
      if (here === open) showOpen();
      else here.left.abort();
      if (here !== open && here.id === open.id && !open.turn) void openConversation(open.id);
      void list.refresh();
      if (here.isNew) others.postMessage({ begun: here.id, replyId: item.replyId });
      break;
    case "words":
      turn.add(item.text);
      break;
    case "lost":
      turn.tell(t(navigator.onLine ? "connection.lost" : "connection.offline"));
      break;
    case "back":
      turn.tell(here.isStopping ? t("stop.running") : "");
      break;
    case "done":
      sent.forget(said);
      turn.end(item.reply.finish_reason, item.reply);
      if (here === open) announce(ending(item.reply.finish_reason) || t("complete"));
      if (here === open && here.isNew) void lookForTitle(here);
      break;
    case "failed":
      turn.fail(item.problem, t("again"), () => send(said, { to: turn.to, instead: turn }));
      break;
  }
}

export function stop() {
  if (open.isStopping) return;
  open.isStopping = true;
  open.turn?.tell(t("stop.running"));
  if (open.replyId) void stopReply(open);
}

async function stopReply(here) {
  try {
    await withKey(() => cancel(here.replyId));
  } catch (error) {
    here.isStopping = false; // it can be tried again
    here.turn?.tell(t("stop.failed", { why: error.message }));
  }
}
