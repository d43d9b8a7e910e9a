// A stored conversation: first its end, then earlier messages as the user scrolls up.
import { conversation } from "./client.js";
import { withKey } from "./dialogs.js";
import { keepFocus } from "./focus.js";
import { t } from "./language.js";
import { UserTurn } from "./said.js";
import { putBefore } from "./view.js";

const PAGE = 40; // even, so that a message and its reply are on one page

/** @returns {any} */
const byId = (/** @type {string} */ id) => document.getElementById(id);
const [scroller, earlier] = ["scroller", "earlier"].map(byId);

/** Loads the messages before those that are shown. Resolves to whether there were any. @type {() => Promise<boolean>} */
let load = async () => false;
const sight = new IntersectionObserver(([place]) => place.isIntersecting && load(), {
  root: scroller,
  rootMargin: "800px 0px 0px",
});
earlier.addEventListener("click", () => load());

/** Load earlier messages until this is true, as far as there are any. */
export async function loadUntil(/** @type {() => boolean} */ isThere) {
  while (!isThere() && (await load()));
}

/**
 * The end of a conversation. Throws `Problem` or `Unreachable`.
 * @param {string} id
 * @param {AbortSignal} signal stops everything: another conversation is shown
 * @param {(message: any, to: UserTurn, isLast: boolean) => Promise<HTMLElement>} replyTurn for a stored reply to this message
 */
export async function endOf(id, signal, replyTurn) {
  let cursor = "";
  const read = async () => {
    const page = await withKey(() => conversation(id, PAGE, cursor, signal));
    const messages = page.messages.reverse();
    const isEnd = !cursor;
    cursor = page.next_cursor ?? "";
    let to = new UserTurn("");
    const turns = [];
    for (const message of messages) {
      const isLast = isEnd && message === messages.at(-1);
      if (message.role === "user") {
        to = new UserTurn(message.text, message.created_at);
        to.branches.show(message.branches);
        turns.push(to.element);
      } else {
        to.replyId = message.reply_id;
        if (message.state !== "running") turns.push(await replyTurn(message, to, isLast));
      }
    }
    const last = messages.at(-1);
    return { title: page.title, turns, running: isEnd && last?.state === "running" ? last : null, to };
  };
  const end = await read();
  offer(signal, () => Boolean(cursor), read);
  return end;
}

/** Offer earlier messages for as long as there are any. */
function offer(signal, hasMore, read) {
  if (signal.aborted) return;
  /** @type {Promise<boolean> | null} */
  let loading = null;
  const show = (/** @type {HTMLElement | undefined} */ first = undefined) => {
    sight.disconnect();
    keepFocus(() => (earlier.hidden = !hasMore() || signal.aborted), () => first);
    earlier.textContent = t("earlier");
    if (!earlier.hidden) sight.observe(earlier); // fires at once if it is in view
  };
  const loadPage = async () => {
    if (signal.aborted || !hasMore()) return false;
    try {
      const { turns } = await read();
      if (signal.aborted) return false;
      putBefore(turns);
      show(turns[0]);
      return true;
    } catch {
      if (signal.aborted) return false;
      sight.disconnect();
      earlier.textContent = t("earlier.failed");
      return false;
    }
  };
  load = () => (loading ??= loadPage().finally(() => (loading = null)));
  signal.addEventListener("abort", () => {
    sight.disconnect();
    keepFocus(() => (earlier.hidden = true));
  });
  show();
}
