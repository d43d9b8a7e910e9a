// The page: which conversation is open, what is being said in it, and what people do about that.
import { cancelReply, conversation, key, Problem, Unreachable } from "./client.js";
import { askForKey, withKey } from "./dialogs.js";
import { List } from "./list.js";
import { reread, talk } from "./replies.js";
import { ReplyTurn, userTurn } from "./turns.js";
import { announce, closeSidebar, goToEnd, keepEndInSight, showName, showRunning } from "./view.js";

const DRAFT = "chat.draft";

/** @returns {any} */
const byId = (/** @type {string} */ id) => document.getElementById(id);
const [log, message] = ["log", "message"].map(byId);
const list = new List({ onDeleted: forget });
const others = new BroadcastChannel("chat"); // this page in other tabs

/** The conversation that is shown; `turn` and `replyId` while something is being said in it. */
let open = nothing();
/** Those that were left while something was being said: it is still listened to, or it would be stopped. */
const left = new Set();

function nothing() {
  return { id: "", title: "New chat", leaving: new AbortController(), turn: null, replyId: "", isNew: false, isStopping: false };
}

// Opening

function begin(id = "") {
  if (open.turn) left.add(open);
  else open.leaving.abort();
  open = { ...nothing(), id };
  if (!id) log.replaceChildren();
  showOpen();
  showRunning(false);
}

async function openConversation(id) {
  begin(id);
  const here = open;
  const turns = [];
  try {
    let last = null;
    let said = "";
    let page = null;
    do {
      page = await withKey(() => conversation(id, page?.next_cursor, here.leaving.signal));
      for (const turn of page.messages) {
        last = turn;
        if (turn.role === "user") turns.push(userTurn((said = turn.text)));
        else if (turn.state !== "running") turns.push(storedReply(turn, said));
      }
    } while (page.next_cursor);
    if (here !== open) return;
    here.title = page.title;
    showOpen();
    log.replaceChildren(...turns);
    goToEnd();
    if (last?.state === "running") await follow(reread(last.reply_id, here.leaving.signal), said, last.reply_id);
  } catch (error) {
    if (here !== open) return;
    log.replaceChildren(...turns);
    fail(error, "Open it again", error.status === 404 ? undefined : () => openConversation(id));
  }
}

function storedReply({ text, state, finish_reason: finishReason }, said) {
  const turn = new ReplyTurn();
  turn.add(text);
  turn.end(state === "completed" ? (finishReason ?? "completed") : state, () => send(said));
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

// Saying something

async function send(text) {
  if (open.turn) return;
  if (!open.id) open.title = [...text.replace(/\s+/g, " ").trim()].slice(0, 80).join("");
  log.append(userTurn(text));
  goToEnd();
  await follow(talk(text, open.id, open.leaving.signal), text);
}

/** Show a reply while it is made. */
async function follow(news, said, replyId = "") {
  const here = open;
  const turn = new ReplyTurn(() => here === open && keepEndInSight());
  Object.assign(here, { turn, replyId, isNew: !replyId });
  log.append(turn.element);
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
  left.delete(here);
  if (here !== open) return;
  showRunning(false);
  if (failure) await recover(failure, here, known, turn, said);
}

function show(item, here, said) {
  const { turn } = here;
  switch (item.kind) {
    case "begun":
      here.replyId = item.replyId;
      here.id ||= item.conversationId;
      if (here === open) showOpen();
      if (here.isStopping) void cancel(here);
      for (const other of left) if (other !== here && other.id === here.id) other.leaving.abort();
      void list.refresh();
      if (here.isNew) others.postMessage({ begun: here.id });
      break;
    case "words":
      turn.add(item.text);
      break;
    case "lost":
      turn.tell(navigator.onLine ? "Connection lost. Trying to go on …" : "You are offline. This goes on when you are back.");
      break;
    case "back":
      turn.tell("");
      break;
    case "done":
      turn.end(item.reply.finish_reason, () => send(said));
      if (here === open) announce(item.reply.finish_reason === "cancelled" ? "Stopped." : "The reply is complete.");
      break;
    case "failed":
      turn.fail(item.problem, "Try again", () => send(said));
      break;
  }
}

/** There will be no more news of the reply. */
async function recover(error, here, replyId, turn, said) {
  if (error instanceof Problem && error.status === 401) {
    turn.element.previousElementSibling?.remove();
    turn.element.remove();
    if (await askForKey(error)) return send(said);
    message.value ||= said;
    message.focus();
  } else if (error instanceof Unreachable && replyId) {
    turn.fail(error, "Go on", () => {
      turn.element.remove();
      void follow(reread(replyId, here.leaving.signal), said, replyId);
    });
  } else if (error instanceof Problem && replyId) {
    void openConversation(here.id); // it cannot be followed any more: what is stored of it can be shown
  } else {
    here.id ||= error.conversationId ?? ""; // there the message is, and the next one should be
    showOpen();
    turn.fail(error, "Try again", () => send(said));
    void list.refresh();
  }
}

async function stop() {
  const here = open;
  here.isStopping = true;
  here.turn?.tell("Stopping …");
  if (here.replyId) await cancel(here);
}

async function cancel(here) {
  await cancelReply(here.replyId).catch((error) => here.turn?.tell(`It could not be stopped. ${error.message}`));
}

/** Where there is no reply to tell it in. */
function fail(error, label, again) {
  const turn = new ReplyTurn(keepEndInSight);
  log.append(turn.element);
  turn.fail(error, label, again);
}

// What people do

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = message.value;
  if (!text.trim() || open.turn) return;
  message.value = "";
  sessionStorage.removeItem(DRAFT);
  void send(text);
});

message.addEventListener("keydown", (event) => {
  const isPlainEnter = event.key === "Enter" && !event.shiftKey && !event.isComposing;
  if (!isPlainEnter || matchMedia("(pointer: coarse)").matches) return;
  event.preventDefault();
  byId("composer").requestSubmit();
});
message.addEventListener("input", () => {
  sessionStorage.setItem(DRAFT, message.value);
  if (!CSS.supports("field-sizing: content")) message.rows = Math.min(8, message.value.split("\n").length);
});

byId("stop").addEventListener("click", stop);
byId("new").addEventListener("click", () => {
  begin();
  closeSidebar();
  message.focus();
});
byId("suggestions").addEventListener("click", (event) => {
  if (event.target instanceof HTMLButtonElement) void send(event.target.textContent);
});
byId("forget-key").addEventListener("click", () => {
  key.forget();
  location.reload();
});

addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  if (!closeSidebar() && open.turn) void stop();
});

addEventListener("popstate", openWhatIsNamed); // also when the part behind the # changes
others.addEventListener("message", ({ data: { begun, deleted } }) => {
  void list.refresh();
  if (deleted === open.id && deleted) begin();
  else if (begun === open.id && begun && !open.turn) void openConversation(begun);
});

function openWhatIsNamed() {
  const id = location.hash.slice(1);
  if (id === open.id) return;
  if (/^[0-9a-f]{32}$/.test(id)) void openConversation(id);
  else begin();
}

message.value = sessionStorage.getItem(DRAFT) ?? "";
message.focus();
showRunning(false);
openWhatIsNamed();
void list.refresh();
