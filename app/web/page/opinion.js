// What the user thinks of a reply: up or down, and why. It is stored at once, and can be taken back.
import { giveFeedback, withdrawFeedback } from "./client.js";
import { askForNote, withKey } from "./dialogs.js";
import { iconButton, make } from "./elements.js";
import { keepFocus } from "./focus.js";
import { t } from "./language.js";
import { notify } from "./view.js";

const LABELS = { up: t("feedback.up"), down: t("feedback.down") };

/**
 * The buttons for a reply.
 * @param {string} replyId
 * @param {{ rating: string, note?: string } | undefined} stored
 */
export function opinion(replyId, stored) {
  const element = make("span", "opinion");
  const thumbs = Object.entries(LABELS).map(([rating, label]) => Object.assign(iconButton(`${rating}-thumb`, label), { value: rating }));
  const note = iconButton("note", t("feedback.why"));
  let now = stored; // as shown
  let sending = Promise.resolve(); // one request after the other, so that the last choice is what is stored

  const show = () => {
    for (const thumb of thumbs) thumb.setAttribute("aria-pressed", String(thumb.value === now?.rating));
    keepFocus(() => (note.hidden = !now), () => thumbs[0]);
    note.setAttribute("aria-pressed", String(Boolean(now?.note)));
  };
  const send = async (next) => {
    if (now !== next) return; // the user has chosen something else meanwhile
    try {
      await withKey(() => (next ? giveFeedback(replyId, next) : withdrawFeedback(replyId)));
      stored = next;
    } catch (error) {
      if (now === next) now = stored;
      show();
      notify(t("feedback.failed", { why: error.message }));
    }
  };
  const store = (next) => {
    now = next;
    show();
    sending = sending.then(() => send(next));
  };
  for (const thumb of thumbs) {
    thumb.addEventListener("click", () => store(now?.rating === thumb.value ? undefined : { ...now, rating: thumb.value }));
  }
  note.addEventListener("click", async () => {
    const why = await askForNote(now?.note ?? "");
    if (why !== null && now) store({ rating: now.rating, ...(why && { note: why }) });
  });
  element.append(...thumbs, note);
  show();
  return element;
}
