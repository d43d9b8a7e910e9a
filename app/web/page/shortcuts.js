// Keyboard shortcuts, and the dialog that lists them. Each has two modifiers: single keys are text, or a screen reader's;
// Ctrl or Cmd with a letter is the browser's; Ctrl+Alt writes characters on many keyboards. On Apple's keyboards Option
// writes characters, and with Control it is VoiceOver's. No letter is one that an input method takes with these modifiers
// (Japanese ones take J and K on a Mac), and none is taken by a browser on Windows,
// macOS or Linux.
import { isComposing } from "./composer.js";
import { show } from "./dialogs.js";
import { make } from "./elements.js";
import { t } from "./language.js";

/** @typedef {"new" | "search" | "message" | "reply" | "code" | "above" | "below"} Action */

const isApple = /^(?:Mac|iPhone|iPad|iPod)/.test(navigator.platform);
const MODIFIERS = isApple ? ["Control", "Shift"] : ["Alt", "Shift"];

/** The letter of each action, and what that does. @type {[string, Action | "list", string][]} */
const SHORTCUTS = [
  ["O", "new", t("new")],
  ["S", "search", t("search.box")],
  ["U", "above", t("keys.above")],
  ["D", "below", t("keys.below")],
  ["M", "message", t("keys.message")],
  ["C", "reply", t("keys.reply")],
  ["X", "code", t("keys.code")],
  ["H", "list", t("keys.list")],
];

/** What keys do in the message box and everywhere. @type {[string[], string][]} */
const OTHERS = [
  [["Enter"], t("keys.send")],
  [["Shift", "Enter"], t("keys.line")],
  [["Esc"], t("keys.stop")],
];

const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("keys-dialog"));

/** Start listening. */
export function listenToKeys(/** @type {Record<Action, () => void>} */ actions) {
  const letters = new Map(SHORTCUTS.map(([letter, action]) => [letter, action === "list" ? showKeys : actions[action]]));
  addEventListener("keydown", (event) => {
    if (!hasModifiers(event) || isComposing(event) || document.querySelector("dialog[open], :popover-open")) return;
    const act = letters.get(letterOf(event));
    if (!act) return;
    event.preventDefault();
    if (!event.repeat) act();
  });
  document.getElementById("keys").addEventListener("click", showKeys);
  dialog.querySelector("button").addEventListener("click", () => dialog.close());
  dialog.querySelector("dl").append(
    ...SHORTCUTS.map(([letter, , what]) => row([...MODIFIERS, letter], what)),
    ...OTHERS.map(([keys, what]) => row(keys, what)),
  );
}

const showKeys = () => show(dialog);

function hasModifiers(/** @type {KeyboardEvent} */ event) {
  const pressed = ["Control", "Alt", "Shift", "Meta"].filter((name) => event.getModifierState(name));
  return pressed.join() === MODIFIERS.join() && !event.getModifierState("AltGraph");
}

/** The Latin letter on the key: as the keyboard has it, or at its usual place for keyboards of other scripts. */
const letterOf = (/** @type {KeyboardEvent} */ event) =>
  /^[a-z]$/i.test(event.key) ? event.key.toUpperCase() : event.code.replace(/^Key/, "");

function row(/** @type {string[]} */ keys, /** @type {string} */ what) {
  const made = make("div");
  const shown = make("dd", "theirs"); // what is written on keys is the same in each language
  shown.dir = "ltr";
  shown.append(...keys.flatMap((key, n) => [...(n ? ["+"] : []), Object.assign(make("kbd"), { textContent: key })]));
  made.append(Object.assign(make("dt"), { textContent: what }), shown);
  return made;
}
