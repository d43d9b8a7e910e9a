// The focus when the element that has it is removed, hidden or disabled. Browsers leave it nowhere then: the next key would
// begin at the top of the page, and so would a screen reader.

/** @returns {any} */
const byId = (/** @type {string} */ id) => document.getElementById(id);

/**
 * Make a change. If that takes the focus away, it goes back to the element that had it, or else to what `next` returns, to
 * the button that stops the reply, or to the message box: the first of them that is there. The focus of somebody who is
 * elsewhere stays. Returns what the change returns.
 * @template T
 * @param {() => T} change
 * @param {() => Element | null | undefined} next
 */
export function keepFocus(change, next = () => null) {
  const held = document.activeElement;
  const result = change();
  if (isSomewhere(held)) restore(held, next);
  return result;
}

/** Put the focus back after something else had it for a while, such as a dialog. `held`: what had it before. */
export function restore(/** @type {Element} */ held, /** @type {() => Element | null | undefined} */ next = () => null) {
  const now = document.activeElement;
  if (isSomewhere(now) && isThere(now)) return;
  const places = [() => held, next, () => byId("stop"), () => byId("message")];
  for (const place of places) {
    const element = place();
    if (element && isThere(element)) return focusOn(element);
  }
}

/** Focus a button that was clicked: on macOS, most browsers do not, and take the focus from where it was. */
export function focusClicked(/** @type {HTMLElement | null} */ clicked) {
  if (!isSomewhere(document.activeElement)) clicked?.focus();
}

/** Whether the focus is somewhere, if it is here. */
export const isSomewhere = (/** @type {Element | null} */ focused) => Boolean(focused) && focused !== document.body;

/** Browsers notice only later that an element cannot have the focus any more. */
const isThere = (/** @type {Element} */ element) =>
  element.isConnected && !element.matches(":disabled") && element.checkVisibility({ visibilityProperty: true });

function focusOn(/** @type {any} */ element) {
  if (element.tabIndex < 0 && !element.hasAttribute("tabindex")) {
    element.tabIndex = -1; // a message, which is not a control
    element.addEventListener("blur", () => element.removeAttribute("tabindex"), { once: true });
  }
  element.focus();
}
