// The page: the open conversation, its running reply, and the user's actions.
import { key, Problem, service, Unreachable } from "./client.js";
import "./colours.js";
import { allow, focusBox, giveBack, isComposing, listen, sent } from "./composer.js";
import { askForKey, withKey } from "./dialogs.js";
import { beginning, t } from "./language.js";
import { List } from "./list.js";
import { channel } from "./memory.js";
import { endOf } from "./past.js";
import { cancel, newMessage, reread, talk } from "./replies.js";
import { ending, ReplyTurn, userTurn } from "./turns.js";
import { announce, closeSidebar, goToEnd, keepEndInSight, showName, showRunning } from "./view.js";

/** @typedef {import("./replies.js").Said} Said */

/** @returns {any} */
const byId = (/** @type {string} */ id) => document.getElementById(id);
const log = byId("log");
const list = new List({ onDeleted: forget });
const others = channel("chat"); // the same page in other tabs

/** The conversation that is shown; `turn` and `replyId` are set while a reply is running. */
let open = nothing();

function nothing() {
  return {
    id: "",
    title: t("new"),
    closed: new AbortController(), // aborted when another conversation is shown
    left: new AbortController(), // aborted when its reply need not be followed any more
    turn: null,
    replyId: "",
    isNew: false,
    isStopping: false,
  };
}

// Opening

function begin(id = "") {
  open.closed.abort();
  if (!open.turn || open.replyId) open.left.abort(); // otherwise wait until the message has arrived
  open = { ...nothing(), id };
  if (!id) log.replaceChildren();
  showOpen();
  showRunning(false);
}

async function openConversation(id) {
  begin(id);
  const here = open;
  try {
    const { title, turns, running, said } = await endOf(id, here.closed.signal, storedReply);
    if (here !== open) return;
    here.title = title;
    showOpen();
    log.replaceChildren(...turns);
    goToEnd();
    if (running) await follow(reread(running, here.left.signal), sent.as(said, id), { replyId: running });
  } catch (error) {
    if (here !== open) return;
    log.replaceChildren();
    const turn = new ReplyTurn(keepEndInSight);
    log.append(turn.element);
    turn.fail(error, t("again"), error.status === 404 ? undefined : () => Boolean(openConversation(id)));
  }
}

function storedReply({ text, state, finish_reason: finishReason }, said, isLast) {
  const turn = new ReplyTurn();
  turn.add(text);
  const hasFailed = isLast && !finishReason;
  turn.end(finishReason ?? state, () => (hasFailed ? retry(said, turn) : send(newMessage(said))));
  return turn.element;
}

function showOpen() {
  showName(open);
  list.show(open.id);
}

function forget(id) {
  if (id === open.id) begin();
  others.postMessage({ deleted: id });
}

// Sending

/** Send a message. A retry replaces the turn `instead`, of a failed reply. Returns whether sending is possible now. */
function send(/** @type {Said} */ said, /** @type {ReplyTurn | null} */ instead = null) {
  if (open.turn) return false;
  if (!open.id) open.title = beginning(said.text.slice(0, 4_000).replace(/\s+/g, " ").trim(), 80);
  if (!instead) log.append(userTurn(said.text));
  sent.keep(said, open.id, false);
  goToEnd();
  void follow(talk(said, open.id, open.left.signal), said, { instead });
  return true;
}

/** Retry a message whose stored reply failed, replacing that reply if this tab sent the message and has its key. */
function retry(text, turn) {
  const said = sent.as(text, open.id);
  return send(said, said.key === sent.get()?.key ? turn : null);
}

/** Show a reply while it is generated. */
async function follow(news, /** @type {Said} */ said, { replyId = "", instead = null } = {}) {
  const here = open;
  const turn = new ReplyTurn(() => here === open && keepEndInSight());
  Object.assign(here, { turn, replyId, isNew: !replyId });
  if (instead?.element.isConnected) instead.element.replaceWith(turn.element);
  else log.append(turn.element);
  showRunning(true);
  keepEndInSight();
  let failure = null;
  try {
    for await (const item of news) show(item, here, said);
  } catch (error) {
    failure = error;
  }
  const known = here.replyId;
  Object.assign(here, { turn: null, replyId: "", isStopping: false });
  if (here !== open) return;
  showRunning(false);
  if (failure) await recover(failure, here, known, turn, said);
}

function show(item, here, /** @type {Said} */ said) {
  const { turn } = here;
  switch (item.kind) {
    case "begun":
      here.replyId = item.replyId;
      here.id ||= item.conversationId;
      if (here.isNew) sent.keep(said, here.id, true);
      if (here.isStopping) void stopReply(here);
      if (here === open) showOpen();
      else here.left.abort();
      if (here !== open && here.id === open.id && !open.turn) void openConversation(open.id);
      void list.refresh();
      if (here.isNew) others.postMessage({ begun: here.id });
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
      turn.end(item.reply.finish_reason, () => send(newMessage(said.text)));
      if (here === open) announce(ending(item.reply.finish_reason) || t("complete"));
      break;
    case "failed":
      turn.fail(item.problem, t("again"), () => send(said, turn));
      break;
  }
}

/** Handle an error after which the reply cannot be followed. */
async function recover(error, here, replyId, /** @type {ReplyTurn} */ turn, /** @type {Said} */ said) {
  const again = () => send(said, turn);
  const takeBack = () => {
    turn.element.previousElementSibling?.remove();
    turn.element.remove();
  };
  if (error instanceof Unreachable && replyId) {
    const options = { replyId, instead: turn };
    turn.fail(error, t("reconnect"), () => !open.turn && Boolean(follow(reread(replyId, here.left.signal), said, options)));
  } else if (!(error instanceof Problem)) {
    turn.fail(error, t("again"), again);
  } else if (error.status === 401) {
    if (await askForKey(error)) return void again();
    takeBack();
    giveBack(said.text);
    focusBox();
  } else if (replyId) {
    void openConversation(here.id); // it cannot be followed any more: show what is stored
  } else {
    if (error.conversationId) sent.keep(said, error.conversationId, true);
    here.id ||= error.conversationId; // the message is stored there, and the next one belongs there, too
    showOpen();
    if (error.type === "conversation-not-found") {
      turn.fail(error, t("new.send"), () => (begin(), send(newMessage(said.text))));
    } else if ([413, 422].includes(error.status)) {
      turn.fail(error, t("edit"), () => (takeBack(), giveBack(said.text), focusBox(), true));
    } else {
      turn.fail(error, t("again"), again);
    }
    void list.refresh();
  }
}

function stop() {
  if (open.isStopping) return;
  open.isStopping = true;
  open.turn?.tell(t("stop.running"));
  if (open.replyId) void stopReply(open);
}

async function stopReply(here) {
  await cancel(here.replyId).catch((error) => here.turn?.tell(t("stop.failed", { why: error.message })));
}

/** What depends on who answers; without an answer, nothing is suggested. */
async function introduce() {
  const { suggestions, limits } = await withKey(service);
  byId("suggestions").replaceChildren(...suggestions.map(suggestion));
  allow(limits.message_characters);
}

function suggestion(/** @type {string} */ text) {
  const button = document.createElement("button");
  button.type = "button";
  button.dir = "auto";
  button.textContent = text;
  return button;
}

// User actions

byId("stop").addEventListener("click", stop);
byId("new").addEventListener("click", () => {
  begin();
  closeSidebar();
  focusBox();
});
byId("suggestions").addEventListener("click", (event) => {
  if (event.target instanceof HTMLButtonElement) send(newMessage(event.target.textContent));
});
byId("forget-key").addEventListener("click", () => {
  key.forget();
  location.reload();
});

addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || isComposing(event) || document.querySelector("dialog[open]")) return;
  if (!closeSidebar() && open.turn) stop();
});

addEventListener("popstate", openWhatIsNamed); // also when the URL's hash changes
others.addEventListener("message", (/** @type {any} */ { data: { begun, deleted } }) => {
  void list.refresh();
  if (deleted === open.id && deleted) begin();
  else if (begun === open.id && begun && !open.turn) void openConversation(begun);
});

function openWhatIsNamed() {
  const id = location.hash.slice(1);
  if (id === open.id) return;
  if (/^[0-9a-f]{32}$/.test(id)) void openConversation(id);
  else if (id) showName(open, "replaceState"); // not a conversation's id
  else begin();
}

listen((said) => send(said));
focusBox();
showRunning(false);
openWhatIsNamed();
void list.refresh();
void introduce().catch(() => {});
