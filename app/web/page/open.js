// Which conversation is open, and what the page shows of that: its name, and its place in the list.
import { giveBack } from "./composer.js";
import { keepFocus } from "./focus.js";
import { t } from "./language.js";
import { List } from "./list.js";
import { channel } from "./memory.js";
import { notify, showName, showRunning } from "./view.js";

export const log = /** @type {HTMLElement} */ (document.getElementById("log"));
export const list = new List({ onDeleted: forget, onTitle: rename });
/** The same page in other tabs. */
export const others = channel("chat");

/** The conversation that is shown; `turn` and `replyId` are set while a reply is running. */
export let open = nothing();

function nothing() {
  return {
    id: "",
    title: t("new"),
    closed: new AbortController(), // aborted when another conversation is shown
    left: new AbortController(), // aborted when its reply need not be followed any more
    turn: null,
    replyId: "",
    isLoading: false, // what is shown is of another conversation or branch
    isNew: false,
    isStopping: false,
    /** Messages that the server does not have, by key: their failure is shown. @type {Map<string, string>} */
    unsent: new Map(),
  };
}

export function begin(id = "") {
  open.closed.abort();
  if (!open.turn || open.replyId) open.left.abort(); // otherwise wait until the message has arrived
  for (const text of [...open.unsent.values()].reverse()) giveBack(text);
  open = { ...nothing(), id, ...(id && id === open.id && { title: open.title }) };
  keepFocus(() => {
    if (!id) log.replaceChildren();
    showOpen();
    showRunning(false);
  });
}

/** Whether a message can be sent now. If the conversation is being loaded, the user is told. */
export function isReady() {
  if (open.isLoading) notify(t("loading"));
  return !open.turn && !open.isLoading;
}

export function showOpen() {
  showName(open);
  list.show(open.id);
}

export function rename(id, title) {
  if (id !== open.id) return;
  open.title = title;
  showOpen();
}

function forget(id) {
  if (id === open.id) begin();
  others.postMessage({ deleted: id });
}
