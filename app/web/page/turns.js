// The turns of a conversation as elements: the user's messages, and replies while they are generated.
import { hasText, locale, t } from "./language.js";
import { GrowingText } from "./markdown.js";

/** The note at the end of a reply. `how`: a finish reason, or the state of a stored reply. */
export const ending = (/** @type {string} */ how) => hasText(`end.${how}`) ? t(/** @type {any} */ (`end.${how}`)) : "";

export function userTurn(/** @type {string} */ text) {
  const turn = article("user", t("said"));
  turn.textContent = text;
  turn.dir = "auto";
  return turn;
}

/** A reply: empty at first, `aria-busy` until it has ended. */
export class ReplyTurn {
  #text;
  #waiting = "";
  #frame = 0;
  #note = make("p", "note");
  #tools = make("div", "tools");
  #body = make("div", "text");

  /** @param {() => void} onGrown called when the reply has grown */
  constructor(onGrown = () => {}) {
    this.element = article("reply", t("reply"));
    this.element.setAttribute("aria-busy", "true");
    this.onGrown = onGrown;
    const foot = make("div", "foot");
    foot.append(this.#tools, this.#note);
    this.element.append(this.#body, foot);
    this.#text = new GrowingText(this.#body);
    this.#tools.append(this.#copyButton());
  }

  get text() {
    return this.#text.text + this.#waiting;
  }

  /** Add words, which are drawn once per frame. */
  add(/** @type {string} */ words) {
    this.#waiting += words;
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  tell(/** @type {string} */ note) {
    this.#note.textContent = note;
    this.#note.className = "note";
  }

  /** `how`: see `ending`. `again` returns whether a retry is possible now. */
  end(/** @type {string} */ how, /** @type {(() => boolean) | undefined} */ again) {
    this.#settle();
    this.tell(ending(how));
    if (again && ending(how)) this.#offer(t("again"), again);
    this.onGrown();
  }

  /** The reply failed or cannot be shown. `again`: see `end`. */
  fail(/** @type {any} */ error, /** @type {string} */ label, /** @type {(() => boolean) | undefined} */ again) {
    this.#settle();
    const why = (error.errors ?? []).map((field) => field.detail.replace(/\.?$/, "."));
    const told = [error.title && `${error.title}.`, ...why, error.message];
    if (error.requestId) told.push(t("problem.request", { id: error.requestId }));
    this.#note.textContent = told.filter(Boolean).join(" ");
    this.#note.className = "note bad";
    this.#note.setAttribute("role", "alert");
    if (again) this.#offer(label, again, error.retryAfterSeconds);
    this.onGrown();
  }

  #settle() {
    this.#draw();
    this.#text.finish();
    this.element.setAttribute("aria-busy", "false");
    if (!this.#text.text) this.#tools.querySelector("[data-copies]")?.remove();
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (!this.#waiting) return;
    this.#text.append(this.#waiting);
    this.#waiting = "";
    this.onGrown();
  }

  #copyButton() {
    const copy = button("copy", t("copy"));
    copy.dataset.copies = "reply";
    copy.setAttribute("aria-label", t("copy.reply"));
    copy.addEventListener("click", () => copyText(copy, this.text));
    return copy;
  }

  /** Offer a button, disabled for as long as the server asks to wait. */
  #offer(label, again, waitSeconds = 0) {
    const offered = button("again", label);
    const count = (left) => {
      offered.disabled = left > 0;
      offered.querySelector("span").textContent = left > 0 ? t("again.in", { label, seconds: left.toLocaleString(locale) }) : label;
      if (left > 0) setTimeout(count, 1000, left - 1);
    };
    offered.addEventListener("click", () => {
      if (again()) return offered.remove();
      offered.disabled = true; // another reply is running
      offered.querySelector("span").textContent = t("problem.conversation-busy.do");
      setTimeout(count, 4000, 0);
    });
    count(waitSeconds);
    this.#tools.append(offered);
  }
}

/** Copy a text, and show the result on the button. */
export async function copyText(/** @type {HTMLButtonElement} */ shown, /** @type {string} */ text) {
  const label = shown.querySelector("span") ?? shown;
  const before = label.textContent;
  const isCopied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  label.textContent = isCopied ?? copiesTheOldWay(text) ? t("copied") : t("copy.failed");
  setTimeout(() => (label.textContent = before), 1500);
}

/** The clipboard API requires a secure context; this works without one. */
function copiesTheOldWay(text) {
  const field = make("textarea", "unseen");
  field.value = text;
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  return isCopied;
}

function article(kind, label) {
  const made = make("article", `message ${kind}`);
  made.setAttribute("aria-label", label);
  return made;
}

function make(name, className) {
  const made = document.createElement(name);
  made.className = className;
  return made;
}

export function icon(name) {
  const [svg, use] = ["svg", "use"].map((part) => document.createElementNS("http://www.w3.org/2000/svg", part));
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

function button(name, label) {
  const made = make("button", "");
  made.type = "button";
  made.append(icon(name), Object.assign(make("span", ""), { textContent: label }));
  return made;
}
