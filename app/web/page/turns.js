// The turns of a conversation, as elements: what was said, and replies while they are made.
import { GrowingText } from "./markdown.js";

const ENDS = {
  length: "The reply was cut: it had reached its longest.",
  content_filter: "A filter of the model's ended the reply.",
  cancelled: "Stopped.",
  interrupted: "The server stopped before the reply was complete.",
  failed: "The reply failed.",
};

export function userTurn(/** @type {string} */ text) {
  const turn = article("user", "You said");
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

  /** @param {() => void} onGrown called when there is more to see */
  constructor(onGrown = () => {}) {
    this.element = article("reply", "Reply");
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

  /** Words come one by one, and are drawn once a frame. */
  add(/** @type {string} */ words) {
    this.#waiting += words;
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  tell(/** @type {string} */ note) {
    this.#note.textContent = note;
    this.#note.className = "note";
  }

  /** `how`: a finish reason, or a state of a stored reply. */
  end(/** @type {string} */ how, /** @type {(() => void) | undefined} */ again) {
    this.#settle();
    this.tell(ENDS[how] ?? "");
    if (again && how !== "stop" && how !== "completed") this.#offer("Try again", again);
    this.onGrown();
  }

  /** It has failed, or could not be had. */
  fail(/** @type {any} */ error, /** @type {string} */ label, /** @type {(() => void) | undefined} */ again) {
    this.#settle();
    const fields = (error.errors ?? []).map((field) => ` ${field.detail}.`).join("");
    this.#note.textContent = `${error.title ? `${error.title}. ` : ""}${error.message}${fields}`;
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
    const copy = button("copy", "Copy");
    copy.dataset.copies = "reply";
    copy.setAttribute("aria-label", "Copy this reply");
    copy.addEventListener("click", () => copyText(copy, this.text));
    return copy;
  }

  /** Once it makes sense: the server may have said after how long. */
  #offer(label, again, waitSeconds = 0) {
    const offered = button("again", label);
    const count = (left) => {
      offered.disabled = left > 0;
      offered.querySelector("span").textContent = left > 0 ? `${label} in ${left} s` : label;
      if (left > 0) setTimeout(count, 1000, left - 1);
    };
    offered.addEventListener("click", () => {
      offered.remove();
      again();
    });
    count(waitSeconds);
    this.#tools.append(offered);
  }
}

/** Copy, and show on the button that it was done. */
export async function copyText(/** @type {HTMLButtonElement} */ shown, /** @type {string} */ text) {
  const label = shown.querySelector("span") ?? shown;
  const before = label.textContent;
  const isCopied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  label.textContent = isCopied ?? copiesTheOldWay(text) ? "Copied" : "Not allowed";
  setTimeout(() => (label.textContent = before), 1500);
}

/** Browsers have a clipboard for pages only that came over TLS, or from this machine. */
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
