// A reply as an element, while it is generated and afterwards. To regenerate it is the wish "regenerate".
import { Switcher } from "./branches.js";
import { copyText } from "./copying.js";
import { details } from "./details.js";
import { button, iconButton, make, wish } from "./elements.js";
import { keepFocus } from "./focus.js";
import { highlight } from "./highlight.js";
import { hasText, locale, t } from "./language.js";
import { GrowingText } from "./markdown.js";
import { opinion } from "./opinion.js";

const WAIT_MS = 4_000;
const SLICE_MS = 8; // of a frame, which has sixteen
const SLICE = 1_000; // characters
const PAUSE_MS = 2_000; // without a word

/** The note at the end of a reply. `how`: a finish reason, or the state of a stored reply. */
export const ending = (/** @type {string} */ how) => hasText(`end.${how}`) ? t(/** @type {any} */ (`end.${how}`)) : "";

/** A reply: empty at first, `aria-busy` until it has ended. */
export class ReplyTurn {
  #text;
  #waiting = "";
  #frame = 0;
  #pause = 0;
  #note = make("p", "note");
  #tools = make("div", "tools");
  #body = make("div", "text");
  #foot = make("div", "foot");
  branches = new Switcher();
  replyId = "";
  /** The message that it answers. @type {import("./said.js").UserTurn | null} */
  to;

  /** @param {() => void} onGrown called when the reply has grown */
  constructor(/** @type {import("./said.js").UserTurn | null} */ to = null, onGrown = () => {}) {
    this.to = to;
    this.element = make("article", "message reply");
    this.element.setAttribute("aria-label", t("reply"));
    this.element.setAttribute("aria-busy", "true");
    this.onGrown = onGrown;
    this.#foot.append(this.branches.element, this.#tools, this.#note);
    this.element.append(this.#body, this.#foot);
    this.#text = new GrowingText(this.#body, highlight);
    this.#tools.append(this.#copyButton());
  }

  get text() {
    return this.#text.text + this.#waiting;
  }

  /** Add words, which are drawn once per frame, and in several frames if they are many. */
  add(/** @type {string} */ words) {
    this.#waiting += words;
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#draw());
    clearTimeout(this.#pause);
    this.element.classList.remove("pausing");
    this.#pause = setTimeout(() => this.element.classList.add("pausing"), PAUSE_MS);
  }

  /** Resolves when all words that have come are drawn. In a tab that is not shown, they are drawn at once. */
  async drawn() {
    for (;;) {
      this.#draw(document.hidden ? Infinity : SLICE_MS);
      if (!this.#waiting) return;
      await new Promise((resolve) => setTimeout(resolve));
    }
  }

  tell(/** @type {string} */ note) {
    this.#note.textContent = note;
    this.#note.className = "note";
  }

  /**
   * `how`: see `ending`. `reply`: a `Reply` or a stored `Message`. `again`: see `fail`; by default, it is regenerated.
   * @param {string} how
   * @param {any} reply
   * @param {(() => boolean) | undefined} again
   */
  end(how, reply, again = undefined) {
    this.replyId = reply.reply_id;
    this.#settle();
    this.tell(ending(how));
    if (again) this.#offer(t("again"), again);
    else this.#tools.append(this.#regenerateButton(how));
    const [shown, line] = details(reply);
    this.#tools.append(opinion(reply.reply_id, reply.feedback), shown);
    this.#foot.append(line);
    this.onGrown();
  }

  /** The reply failed or cannot be shown. `again` returns whether a retry is possible now. */
  fail(/** @type {any} */ error, /** @type {string} */ label, /** @type {(() => boolean) | undefined} */ again) {
    this.#settle();
    const why = (error.errors ?? []).map(inEnglish);
    const told = [error.title && `${error.title}.`, ...why, error.message];
    if (error.requestId) told.push(t("problem.request", { id: error.requestId }));
    this.#note.replaceChildren(...told.filter(Boolean).flatMap((part, index) => (index ? [" ", part] : [part])));
    this.#note.className = "note bad";
    this.#note.setAttribute("role", "alert");
    if (again) this.#offer(label, again, error.retryAfterSeconds);
    this.onGrown();
  }

  #settle() {
    clearTimeout(this.#pause);
    this.#draw(Infinity);
    keepFocus(() => this.#text.finish(), () => this.element);
    this.element.setAttribute("aria-busy", "false");
    if (!this.#text.text) this.#tools.querySelector("[data-copies]")?.remove();
  }

  /** Draw what waits, for about this long. */
  #draw(milliseconds = SLICE_MS) {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (!this.#waiting) return;
    keepFocus(() => this.#write(performance.now() + milliseconds), () => this.element); // a link may be drawn anew
    this.onGrown();
    if (this.#waiting) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #write(/** @type {number} */ end) {
    do {
      const length = this.#waiting.length > SLICE ? this.#waiting.lastIndexOf(" ", SLICE) + 1 || SLICE : SLICE;
      this.#text.append(this.#waiting.slice(0, length));
      this.#waiting = this.#waiting.slice(length);
    } while (this.#waiting && performance.now() < end);
  }

  #copyButton() {
    const copy = button("copy", t("copy"));
    copy.dataset.copies = "reply";
    copy.setAttribute("aria-label", t("copy.reply"));
    copy.addEventListener("click", () => copyText(copy, this.text));
    return copy;
  }

  #regenerateButton(how) {
    const made = ending(how) ? button("again", t("again")) : iconButton("again", t("regenerate"));
    made.addEventListener("click", () => isWaiting(made) || wish(this.element, "regenerate", this) || askToWait(made));
    return made;
  }

  /** Offer a button, disabled for as long as the server asks to wait. */
  #offer(label, again, waitSeconds = 0) {
    const offered = button("again", label);
    const due = Date.now() + 1000 * waitSeconds; // timers stand still while the device sleeps, or the tab is hidden
    const count = () => {
      const left = Math.ceil((due - Date.now()) / 1000);
      offered.disabled = left > 0;
      offered.querySelector("span").textContent = left > 0 ? t("again.in", { label, seconds: left.toLocaleString(locale) }) : label;
      if (left > 0) setTimeout(count, 1000);
    };
    const choose = () => {
      if (again()) offered.remove();
      else askToWait(offered);
    };
    offered.addEventListener("click", () => isWaiting(offered) || keepFocus(choose));
    this.#tools.append(offered);
    count();
  }
}

/** What the API says of a field, which is English in each language of the page. */
function inEnglish(/** @type {{ detail: string }} */ { detail }) {
  return Object.assign(make("bdi"), { lang: "en", textContent: detail.replace(/\.?$/, ".") });
}

const isWaiting = (/** @type {HTMLButtonElement} */ button) => Boolean(button.ariaDisabled);

/** Another reply is running: say so on a button, which does nothing for a while, and keeps the focus. */
function askToWait(/** @type {HTMLButtonElement} */ button) {
  const label = button.querySelector("span") ?? make("span");
  const before = label.textContent;
  const isIcon = !label.isConnected;
  button.ariaDisabled = "true";
  if (isIcon) button.append(label);
  button.classList.toggle("icon", !isIcon && button.classList.contains("icon"));
  label.textContent = t("problem.conversation-busy.do");
  setTimeout(() => {
    button.ariaDisabled = null;
    label.textContent = before;
    if (isIcon) label.remove();
    button.classList.toggle("icon", isIcon);
  }, WAIT_MS);
}
