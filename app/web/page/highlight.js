// Colours in code that is complete. Modes of CodeMirror read it line by line; what they name becomes elements around the
// same text. That is done when the browser is idle, in slices of a few milliseconds, and only for what is (almost) in sight.
import { make } from "./elements.js";
import { modeOf } from "./modes.js";
import { tokens } from "./tokens.js";

const LONGEST = 20_000; // characters of code; longer code is not coloured
const SLICE_MS = 8;
const SELECTED_MS = 1_000; // until the next look at code that is selected

/** What tokens are shown as, by the styles that modes give them; others look like text. @type {Record<string, string>} */
const KINDS = {
  keyword: "keyword",
  tag: "keyword",
  header: "keyword",
  string: "string",
  inserted: "string",
  comment: "comment",
  number: "value",
  atom: "value",
  attribute: "name",
  builtin: "name",
  def: "name",
  meta: "name",
  property: "name",
  type: "name",
  deleted: "deleted",
};

/** @type {HTMLElement[]} */
const waiting = [];
let isBusy = false;

const sight = new IntersectionObserver(
  (seen) => {
    for (const { isIntersecting, target } of seen) {
      if (!isIntersecting) continue;
      sight.unobserve(target);
      waiting.push(/** @type {HTMLElement} */ (target));
    }
    if (!isBusy) void colourAll();
  },
  { root: document.getElementById("scroller"), rootMargin: "400px" },
);

/** Colour the code in this part of the page, once it is in sight. */
export function highlight(/** @type {Element} */ part) {
  for (const box of part.matches(".code") ? [part] : part.querySelectorAll(".code")) {
    if (modeOf(languageOf(box)) && box.querySelector("code").textContent.length <= LONGEST) sight.observe(box);
  }
}

const languageOf = (/** @type {Element} */ box) => box.querySelector(".language")?.textContent ?? "";

async function colourAll() {
  isBusy = true;
  for (let box = next(); box; box = next()) {
    try {
      await colour(box.querySelector("code"), await modeOf(languageOf(box))());
    } catch {
      // a mode that could not be loaded, or has a defect: the code stays as it is
    }
  }
  isBusy = false;
}

/** What is selected comes last: it has to wait until it is not. */
function next() {
  const at = waiting.findIndex((box) => !isSelected(box));
  return at < 0 ? waiting.shift() : waiting.splice(at, 1)[0];
}

/** Replace the text by the same text with elements, slice by slice. */
async function colour(/** @type {Element} */ code, mode) {
  await untilFree(code);
  code.normalize();
  const text = /** @type {Text | null} */ (code.firstChild);
  if (!text) return;
  let slice = document.createDocumentFragment();
  let length = 0;
  let end = performance.now() + SLICE_MS;
  let run = ""; // of one kind
  /** @type {string | undefined} */
  let kind;
  const add = () => {
    if (run) slice.append(kind ? Object.assign(make("span", kind), { textContent: run }) : run);
    length += run.length;
    run = "";
  };
  const show = () => {
    add();
    text.before(slice);
    text.deleteData(0, length);
    slice = document.createDocumentFragment();
    length = 0;
  };
  for (const [token, style] of tokens(text.data, mode)) {
    const next = kindOf(style);
    if (next !== kind) add();
    kind = next;
    run += token;
    if (performance.now() < end) continue;
    show();
    await untilFree(code);
    if (!code.isConnected) return;
    end = performance.now() + SLICE_MS;
  }
  show();
  text.remove();
}

/** The kind of the last style that has one: `string property` is a property, `variableName.special` has none. */
const kindOf = (/** @type {string | null} */ style) =>
  style?.split(" ").map((name) => KINDS[name.split(".")[0]]).findLast(Boolean);

/** Wait until the browser has nothing else to do, and the user has selected nothing of the code. */
async function untilFree(/** @type {Element} */ code) {
  await new Promise((resolve) => (globalThis.requestIdleCallback ? requestIdleCallback(resolve) : setTimeout(resolve, 50)));
  while (isSelected(code)) await new Promise((resolve) => setTimeout(resolve, SELECTED_MS));
}

const isSelected = (/** @type {Element} */ code) => !getSelection().isCollapsed && getSelection().containsNode(code, true);
