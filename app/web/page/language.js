// The language of the page: the one that the user chose, the browser's, or English. Each language has all its texts in one file. Elements of
// index.html name their texts in `data-t` (content), `data-t-label` and `data-t-placeholder`.
import ar from "./strings.ar.js";
import { device } from "./memory.js";
import en from "./strings.en.js";

const CHOICE = "chat.language";

/** The languages with their directions, and what they are called in themselves. */
const LANGUAGES = {
  en: { dir: "ltr", texts: en, name: "English" },
  ar: { dir: "rtl", texts: ar, name: "العربية" },
};

/** @typedef {keyof typeof en} Name */

const base = (/** @type {string} */ tag) => tag.split("-")[0];
const isKnown = (/** @type {string} */ code) => Object.hasOwn(LANGUAGES, code);

const code = [device.get(CHOICE) ?? "", ...navigator.languages].map(base).find(isKnown) || "en";
const { dir, texts } = LANGUAGES[code];

/** The locale for numbers and dates: the browser's variant of the language, if it has one. */
export const locale = navigator.languages.find((tag) => base(tag) === code) ?? code;

/** The languages that can be chosen: code and name. */
export const languages = Object.entries(LANGUAGES).map(([known, { name }]) => [known, name]);

/** The language that the user chose; empty for the browser's. The page has another one after a reload. */
export const chosenLanguage = {
  get: () => device.get(CHOICE) ?? "",
  set: (/** @type {string} */ chosen) => (chosen ? device.set(CHOICE, chosen) : device.remove(CHOICE)),
};

/** A text with its values. */
export function t(/** @type {Name} */ name, /** @type {Record<string, string | number>} */ values = {}) {
  return texts[name].replace(/\{(\w+)\}/g, (_, /** @type {string} */ value) => String(values[value]));
}

/** Whether there is a text of this name, which is not known before. @returns {name is Name} */
export const hasText = (/** @type {string} */ name) => Object.hasOwn(texts, name);

const VISIBLE = /[^\p{Z}\p{C}\p{Default_Ignorable_Code_Point}]/u;
const BIDI_CONTROLS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/** Someone's text for one line of the page: never empty, and without characters that would turn what is around it. */
export function line(/** @type {string} */ text) {
  return VISIBLE.test(text) ? text.replace(BIDI_CONTROLS, "") : t("untitled");
}

/** As `line`, within a text without markup: isolated if it may run in another direction than the page. */
export function isolated(/** @type {string} */ text) {
  const shown = line(text);
  return dir === "rtl" || RIGHT_TO_LEFT.test(shown) ? `\u2068${shown}\u2069` : shown;
}

/** The beginning of a text of up to so many characters, as the contract counts them; no grapheme is cut. */
export function beginning(/** @type {string} */ text, /** @type {number} */ characters) {
  let left = characters;
  let end = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    left -= [...segment].length;
    if (left < 0) break;
    end += segment.length;
  }
  return text.slice(0, end);
}

/** Fill in the texts of elements in a part of the page. */
export function fill(/** @type {ParentNode} */ root) {
  for (const made of root.querySelectorAll("[data-t]")) fillContent(made);
  for (const made of root.querySelectorAll("[data-t-label]")) made.setAttribute("aria-label", named(made, "t-label"));
  for (const made of root.querySelectorAll("[data-t-placeholder]")) {
    made.setAttribute("placeholder", named(made, "t-placeholder"));
  }
}

const named = (made, attribute) => texts[made.getAttribute(`data-${attribute}`)];

/** Children with `data-slot` go where their name is in the text; others, such as icons, stay before it. */
function fillContent(made) {
  const slots = new Map([...made.querySelectorAll("[data-slot]")].map((slot) => [slot.dataset.slot, slot]));
  for (const part of named(made, "t").split(/(\{\w+\})/)) made.append(slots.get(part.slice(1, -1)) ?? part);
}

document.documentElement.lang = code;
document.documentElement.dir = dir;
document.title = t("page");
fill(document);
document.body.removeAttribute("data-wait");
