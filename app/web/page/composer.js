// The message box. Its text is kept until the server has it: across reloads, refusals and lost connections.
import { focusClicked } from "./focus.js";
import { locale, t } from "./language.js";
import { tab } from "./memory.js";
import { newMessage } from "./replies.js";

const DRAFT = "chat.draft";
const SENT = "chat.sent";
const GAP = "\n\n"; // between texts in the box
let longest = 16_000; // characters, as the contract counts them

/** @typedef {import("./replies.js").Said} Said */

/** @returns {any} */
const byId = (/** @type {string} */ id) => document.getElementById(id);
const [form, box, hint, tooLong, sendButton] = ["composer", "message", "hints", "too-long", "send"].map(byId);

/** The last message sent, until its reply is complete. */
export const sent = {
  /** `isInBox`: it was put back there. @returns {(Said & { conversationId: string, isStored: boolean, isInBox?: boolean }) | null} */
  get: () => JSON.parse(tab.get(SENT) ?? "null"),
  /** Whether this is that message, by its key. */
  has: (/** @type {Said} */ { key }) => sent.get()?.key === key,
  /** A text of a conversation with the key that it was sent with, if known. @returns {Said} */
  as(/** @type {string} */ text, conversationId) {
    const last = sent.get();
    return last?.text === text && last.conversationId === conversationId ? last : newMessage(text);
  },
  keep: (/** @type {Said} */ said, conversationId, isStored) =>
    tab.set(SENT, JSON.stringify({ ...said, conversationId, isStored, isInBox: false })),
  /** It turns out that the server has a message: take it out of the box, if it was put back there. */
  arrive(/** @type {Said} */ said, conversationId) {
    const last = sent.get();
    if (!sent.has(said) || last.isStored) return;
    if (last.isInBox && `${box.value}${GAP}`.startsWith(said.text + GAP)) write(box.value.slice(said.text.length + GAP.length));
    sent.keep(said, conversationId, true);
  },
  forget(/** @type {Said} */ said) {
    if (sent.has(said)) tab.remove(SENT);
  },
};

/**
 * Start listening. `onSend` returns whether it accepts the message.
 * @param {(said: Said) => boolean} onSend
 * @param {() => string} openId of the conversation that it is for
 */
export function listen(onSend, openId) {
  const before = sent.get();
  write(tab.get(DRAFT) ?? "");
  if (before && !before.isStored && !before.isInBox && !before.regenerates) giveBack(before.text);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = box.value;
    if (!text.trim() || countOf(text) > longest) return;
    focusClicked(event.submitter);
    const last = sent.get();
    const isSame = last?.isInBox && !last.isStored && last.text === text && last.conversationId === openId();
    const isLast = isSame && !last.edits && !last.regenerates;
    if (onSend(isLast ? last : newMessage(text))) write("");
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
    if (matchMedia("(pointer: coarse)").matches) return;
    event.preventDefault();
    form.requestSubmit();
  });
  box.addEventListener("input", change);
  addEventListener("resize", () => fit(box));
}

/** Put a text back into the box, before its current text. */
export function giveBack(/** @type {string} */ text) {
  write(text, box.value);
  const last = sent.get();
  if (last?.text === text) tab.set(SENT, JSON.stringify({ ...last, isInBox: true }));
}

/** Let messages have up to this many characters. */
export function allow(/** @type {number} */ characters) {
  longest = characters;
  change();
}

export const focusBox = () => box.focus();

/** Whether a key event belongs to an input method; some browsers signal this only with the code 229. */
export const isComposing = (/** @type {KeyboardEvent} */ event) => event.isComposing || event.keyCode === 229;

function write(...texts) {
  box.value = texts.filter(Boolean).join(GAP);
  change();
}

function change() {
  tab.set(DRAFT, box.value);
  tooLong.textContent = excess(box.value);
  const isTooLong = Boolean(tooLong.textContent);
  tooLong.hidden = !isTooLong;
  hint.hidden = isTooLong;
  sendButton.disabled = isTooLong;
  box.setAttribute("aria-invalid", String(isTooLong));
  fit(box);
}

/** Make a box as high as its text, where the browser does not do that by itself. */
export function fit(/** @type {HTMLTextAreaElement} */ box) {
  if (CSS.supports("field-sizing: content")) return;
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}

/** What is wrong with a text that is too long for a message; empty otherwise. */
export function excess(/** @type {string} */ text) {
  const count = countOf(text);
  const [shown, limit] = [count, longest].map((number) => number.toLocaleString(locale));
  return count > longest ? t("message.too-long", { count: shown, limit }) : "";
}

const countOf = (text) => (text.length > longest ? [...text].length : text.length);
