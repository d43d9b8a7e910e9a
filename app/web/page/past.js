// A stored conversation: first its end, then earlier messages as the user scrolls up.
import { conversation } from "./client.js";
import { withKey } from "./dialogs.js";
import { t } from "./language.js";
import { userTurn } from "./turns.js";
import { putBefore } from "./view.js";

const PAGE = 40; // even, so that a message and its reply are on one page

/** @returns {any} */
const byId = (/** @type {string} */ id) => document.getElementById(id);
const [scroller, earlier] = ["scroller", "earlier"].map(byId);

/** Loads the messages before those that are shown. @type {() => Promise<void>} */
let load = async () => {};
const sight = new IntersectionObserver(([place]) => place.isIntersecting && load(), {
  root: scroller,
  rootMargin: "800px 0px 0px",
});
earlier.addEventListener("click", () => load());

/**
 * The end of a conversation. Throws `Problem` or `Unreachable`.
 * @param {string} id
 * @param {AbortSignal} signal stops everything: another conversation is shown
 * @param {(message: any, text: string, isLast: boolean) => HTMLElement} replyTurn for a stored reply to this text
 */
export async function endOf(id, signal, replyTurn) {
  let cursor = "";
  const read = async () => {
    const page = await withKey(() => conversation(id, PAGE, cursor, signal));
    const messages = page.messages.reverse();
    const isEnd = !cursor;
    cursor = page.next_cursor ?? "";
    let said = "";
    const turns = [];
    for (const message of messages) {
      const isLast = isEnd && message === messages.at(-1);
      if (message.role === "user") turns.push(userTurn((said = message.text)));
      else if (message.state !== "running") turns.push(replyTurn(message, said, isLast));
    }
    const last = messages.at(-1);
    return { title: page.title, turns, running: isEnd && last?.state === "running" ? last.reply_id : "", said };
  };
  const end = await read();
  offer(signal, () => Boolean(cursor), read);
  return end;
}

/** Offer earlier messages for as long as there are any. */
function offer(signal, hasMore, read) {
  if (signal.aborted) return;
  let isLoading = false;
  const show = () => {
    sight.disconnect();
    earlier.hidden = !hasMore() || signal.aborted;
    earlier.textContent = t("earlier");
    if (!earlier.hidden) sight.observe(earlier); // fires at once if it is in view
  };
  load = async () => {
    if (isLoading || signal.aborted) return;
    isLoading = true;
    try {
      const { turns } = await read();
      if (!signal.aborted) putBefore(turns);
      if (!signal.aborted) show();
    } catch {
      if (signal.aborted) return;
      sight.disconnect();
      earlier.textContent = t("earlier.failed");
    } finally {
      isLoading = false;
    }
  };
  signal.addEventListener("abort", () => {
    sight.disconnect();
    earlier.hidden = true;
  });
  show();
}
