// Copying a text to the clipboard.
import { announce } from "./announce.js";
import { make } from "./elements.js";
import { t } from "./language.js";

const SHOWN_MS = 1_500;
/** When each label gets its own text back. @type {WeakMap<HTMLElement, number>} */
const timers = new WeakMap();

/** Copy a text, and show the result on the button. */
export async function copyText(/** @type {HTMLButtonElement} */ shown, /** @type {string} */ text) {
  if (!text) return;
  const label = /** @type {HTMLElement} */ (shown.querySelector("span") ?? shown);
  label.dataset.before ??= label.textContent;
  const isCopied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  label.textContent = isCopied ?? copiesTheOldWay(text) ? t("copied") : t("copy.failed");
  announce(label.textContent);
  shown.classList.add("tells"); // visible for so long
  clearTimeout(timers.get(label));
  const timer = setTimeout(() => {
    label.textContent = label.dataset.before;
    delete label.dataset.before;
    shown.classList.remove("tells");
  }, SHOWN_MS);
  timers.set(label, timer);
}

/** The clipboard API requires a secure context; this works without one. */
function copiesTheOldWay(text) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  const field = make("textarea", "unseen");
  field.value = text;
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  focused?.focus({ preventScroll: true });
  return isCopied;
}
