// What a reply has cost, shown when somebody asks for it.
import { iconButton, make } from "./elements.js";
import { locale, t } from "./language.js";
import { device } from "./memory.js";

const CHOICE = "chat.details";

/** Whether each reply shows its details, until somebody hides them. */
export const detailsShown = {
  get: () => device.get(CHOICE) === "shown",
  set(/** @type {boolean} */ areShown) {
    if (areShown) device.set(CHOICE, "shown");
    else device.remove(CHOICE);
    for (const button of document.querySelectorAll(`[data-shows=details][aria-expanded="${!areShown}"]`)) {
      /** @type {HTMLElement} */ (button).click();
    }
  },
};

/**
 * A button, and the line that it shows and hides.
 * @param {{ words?: number, usage?: { prompt_tokens: number, completion_tokens: number }, omitted_messages?: number }} reply
 */
export function details(reply) {
  const line = make("p", "details");
  const shown = iconButton("info", t("details"));
  const show = (/** @type {boolean} */ isShown) => {
    line.hidden = !isShown;
    if (isShown) line.textContent ||= told(reply);
    shown.setAttribute("aria-expanded", String(isShown));
  };
  shown.dataset.shows = "details";
  shown.addEventListener("click", () => show(line.hidden));
  show(detailsShown.get());
  return [shown, line];
}

function told(/** @type {Parameters<typeof details>[0]} */ { words, usage, omitted_messages: omitted }) {
  const facts = [t("details.words", { count: number(words ?? 0) })];
  if (usage) {
    facts.push(t("details.read", { count: number(usage.prompt_tokens) }));
    facts.push(t("details.written", { count: number(usage.completion_tokens) }));
  } else facts.push(t("details.uncounted"));
  if (omitted) facts.push(t("details.omitted", { count: number(omitted) }));
  return facts.join(" · ");
}

const number = (/** @type {number} */ value) => value.toLocaleString(locale);
