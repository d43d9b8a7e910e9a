// The page: connects what the user does to the open conversation, the list and the menu.
import { key } from "./client.js";
import { focusBox, isComposing, listen } from "./composer.js";
import { edit, openConversation, regenerate, send, showBranch, stop } from "./conversation.js";
import { nameDays } from "./days.js";
import { focusClicked, keepFocus } from "./focus.js";
import { introduce } from "./introduction.js";
import { listenToMenu } from "./menu.js";
import { begin, list, open, others, rename } from "./open.js";
import { newMessage } from "./replies.js";
import "./settings.js";
import { listenToKeys } from "./shortcuts.js";
import { closeSidebar, openSidebar, showName, showRunning } from "./view.js";

/** @returns {any} */
const byId = (/** @type {string} */ id) => document.getElementById(id);

byId("stop").addEventListener("click", () => {
  focusClicked(byId("stop"));
  stop();
});
byId("new").addEventListener("click", () => {
  begin();
  closeSidebar();
  focusBox();
});
byId("log").addEventListener("choose", (/** @type {any} */ { target, detail: { replyId, step } }) => {
  const author = target.closest(".user") ? "user" : "reply";
  void showBranch(replyId, { top: target.getBoundingClientRect().top, replyId, author, step });
});
byId("log").addEventListener("edit", edit);
byId("log").addEventListener("regenerate", regenerate);
for (const name of ["leave", "ended"]) byId("log").addEventListener(name, () => showWhatIsMissed());
listenToMenu({
  open: () => open,
  onRenamed(id, title) {
    rename(id, title);
    list.rename(id, title);
    void list.refresh();
    others.postMessage({ renamed: id, title });
  },
  onDelete: ({ id, title }) => list.delete(id, title),
  onAllDeleted() {
    begin();
    void list.refresh();
    others.postMessage({ allDeleted: true });
  },
});
byId("forget-key").addEventListener("click", () => {
  key.forget();
  location.reload();
});

listenToKeys({
  new: () => byId("new").click(),
  search() {
    openSidebar();
    byId("search").select();
  },
  above: () => list.step(-1),
  below: () => list.step(1),
  message: focusBox,
  reply: () => copyLast("reply"),
  code: () => copyLast("code"),
});

function copyLast(/** @type {string} */ what) {
  const button = [...byId("log").querySelectorAll(`[data-copies=${what}]`)].at(-1);
  button?.scrollIntoView({ block: "nearest" });
  button?.click();
}

addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || isComposing(event) || document.querySelector("dialog[open], :popover-open")) return;
  if (!closeSidebar() && open.turn) stop();
});

addEventListener("popstate", openWhatIsNamed); // also when the URL's hash changes
others.addEventListener("message", (/** @type {any} */ { data: { begun, replyId, deleted, allDeleted, renamed, title } }) => {
  if (renamed) list.rename(renamed, title);
  if (deleted) list.remove(deleted);
  void list.refresh();
  if (renamed) rename(renamed, title);
  else if (allDeleted || (deleted === open.id && deleted)) begin();
  else if (begun && begun === open.id && replyId !== open.replyId) {
    missed = begun;
    showWhatIsMissed();
  }
});

let missed = ""; // the conversation in which another tab has begun a reply

/** Show what another tab has begun, but not while a message is edited, or could not be sent: it would be lost. */
function showWhatIsMissed() {
  if (!missed || missed !== open.id || open.turn || open.unsent.size || byId("log").querySelector(".editing")) return;
  missed = "";
  void openConversation(open.id);
}

function openWhatIsNamed() {
  const id = location.hash.slice(1);
  if (id === open.id) return;
  if (/^[0-9a-f]{32}$/.test(id)) void openConversation(id);
  else if (id) showName(open, "replaceState"); // not a conversation's id
  else begin();
}

listen(
  (said) => send(said),
  () => open.id,
);
focusBox();
showRunning(false);
openWhatIsNamed();
void list.refresh();

let isIntroduced = false;
const introduceOnce = () => introduce((text) => keepFocus(() => send(newMessage(text)))).then(() => (isIntroduced = true), () => {});
void introduceOnce();

/** Whoever comes back to the page sees what has changed meanwhile: the list, the days, and what could not be loaded. */
function renew() {
  if (document.hidden) return;
  void list.refresh();
  nameDays(byId("log"));
  if (!isIntroduced) void introduceOnce();
}
addEventListener("online", renew);
addEventListener("pageshow", ({ persisted }) => persisted && renew());
document.addEventListener("visibilitychange", renew);
