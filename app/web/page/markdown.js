// A text that grows word by word and is formatted as Markdown incrementally, in time proportional to what is new.
//
// In Markdown, new text can change only the last block (and the one before it, until the line between them is complete).
// So all blocks before are settled and never parsed again; and neither are the parts of the last one that cannot change
// any more, see unsettled.js. The rest is reformatted for each addition while it is short; once it is long, words are
// appended as plain text, and it is reformatted when it has grown by a tenth: in total, that costs no more than ten times
// its length. For adversarial texts the parser takes quadratic time in a block's length, so a block, or a part of it, has
// a maximum length, after which it continues as a new block.
import { blocksOf } from "./dialect.js";
import { Unsettled } from "./unsettled.js";

const SHORT = 2_000;
const GROWTH = 1.1;
const LONGEST = 10_000;
const LONGEST_ITEM = 40_000; // it may have items of its own
const PIECE = 4_000;
const FENCE = /```|~~~/;
const BLANK_LINE = /\n[ \t]*\n/;
const BLANK_LINES = /^(?:[ \t]*\n)+/;
const LINE = /\S.*\n/;
const TWO_LINES = /\S.*\n.*\n/;
const LINE_ENDS = /\n*$/;

export class GrowingText {
  #root;
  #onSettled;
  /** @type {string[]} */
  #pieces = [];
  #tail = "";
  #formattedLength = 0;
  /** The last blocks, as far as later text may change them. @type {Unsettled[]} */
  #open = [];
  /** Receives words that are not formatted yet. @type {Text | null} */
  #tip = null;

  /**
   * @param {HTMLElement} root
   * @param {(block: HTMLElement) => void} onSettled called with each element that later text does not change
   */
  constructor(root, onSettled = () => {}) {
    this.#root = root;
    this.#onSettled = onSettled;
  }

  /** The whole source text. */
  get text() {
    this.#pieces = [this.#pieces.join("")];
    return this.#pieces[0];
  }

  append(/** @type {string} */ text) {
    this.#pieces.push(text);
    for (let from = 0; from < text.length; from += PIECE) this.#add(text.slice(from, from + PIECE));
  }

  #add(text) {
    this.#tail += text;
    if (this.#isDue(text) && !this.#isSelected()) this.#format();
    else this.#write(text);
  }

  /** The text is complete: format the rest. */
  finish() {
    if (!this.#tail) return;
    if (this.#isSelected()) document.addEventListener("selectionchange", () => this.finish(), { once: true });
    else this.#format(true);
  }

  /** Whether the user has selected something that would be redrawn, which is kept as it is for so long. */
  #isSelected() {
    const selection = getSelection();
    const ends = [selection.anchorNode, selection.focusNode];
    return !selection.isCollapsed && this.#open.some((block) => ends.some((end) => block.mayChange(end)));
  }

  #isDue(text) {
    if (this.#tail.length < SHORT || this.#tail.length > this.#formattedLength * GROWTH || FENCE.test(text)) return true;
    if (this.#open.length > 1) return text.includes("\n");
    return this.#open[0]?.element.tagName === "P" && BLANK_LINE.test(text);
  }

  #format(isEnd = false) {
    this.#tip = null;
    let blocks = blocksOf(this.#tail);
    for (let cut = placeToCut(blocks); cut; cut = placeToCut(blocks)) {
      this.#show(blocksOf(this.#tail.slice(0, cut)), true);
      this.#tail = this.#tail.slice(cut);
      blocks = blocksOf(this.#tail);
    }
    const settled = this.#show(blocks, isEnd);
    this.#tail = this.#tail.slice(settled).replace(BLANK_LINES, "");
    if (this.#open.length) {
      const [from, to] = this.#open[0].settle(blocks.filter(isVisible).at(-this.#open.length));
      this.#tail = this.#tail.slice(0, from) + this.#tail.slice(to);
    }
    this.#formattedLength = this.#tail.length;
  }

  /** Show blocks in place of those that were open. Returns the length of those that are settled. */
  #show(blocks, /** @type {boolean} */ areFinal) {
    const visible = blocks.filter(isVisible);
    visible.forEach((block, n) => (this.#open[n] ??= new Unsettled()).show(block, this.#root));
    for (const { element } of this.#open.splice(visible.length)) element.remove();
    let end = 0;
    let settled = 0;
    for (const [n, block] of blocks.entries()) {
      end += block.raw.length;
      if (!isVisible(block)) continue;
      if (!areFinal && !isFinal(block, blocks.slice(n + 1, n + 3), this.#tail.slice(end))) break;
      const { element } = this.#open[0];
      this.#open.shift().close(block);
      this.#onSettled(element);
      settled = end;
    }
    return settled;
  }

  #write(text) {
    if (!this.#tip) {
      this.#tip = document.createTextNode(LINE_ENDS.exec(this.#tail.slice(0, -text.length))?.[0] ?? "");
      endOf(this.#open.at(-1)?.element ?? this.#root).append(this.#tip);
    }
    this.#tip.appendData(text);
  }
}

const isVisible = (block) => block.type !== "space";

/** Whether later text cannot change a block: it is followed by a complete line that is not its own, or by a blank line. */
function isFinal(block, /** @type {any[]} */ following, /** @type {string} */ after) {
  const [next] = following;
  if (next?.type === "space" && endsWithBlankLine(block) && BLANK_LINE.test(next.raw)) return true;
  const isTable = following.find(isVisible)?.type === "table"; // its second line tells that it is one
  return (isTable ? TWO_LINES : LINE).test(after);
}

/** Whether a blank line ends the block: lists, quotations and indented code may contain some. */
const endsWithBlankLine = (block) =>
  ["paragraph", "heading", "hr"].includes(block.type) || (block.type === "code" && block.codeBlockStyle !== "indented");

/** Where a block is to be cut because it, or one of its parts, is too long; 0 if none is. */
function placeToCut(blocks) {
  let start = 0;
  for (const { type, raw, items } of blocks) {
    const longest = type === "list" ? LONGEST_ITEM : LONGEST;
    let part = 0;
    for (const length of lengthsOfParts(type, raw, items)) {
      const line = raw.lastIndexOf("\n", part + longest) + 1;
      if (length > longest) return start + (line > part ? line : beforeHalf(raw, part + longest));
      part += length;
    }
    start += raw.length;
  }
  return 0;
}

/** The lengths of the parts that are parsed one by one. */
function lengthsOfParts(type, raw, items) {
  if (type === "code" || type === "space") return [];
  if (type === "list") return items.map((item) => item.raw.length);
  return type === "table" ? raw.split("\n").map((line) => line.length + 1) : [raw.length];
}

/** A place to cut that is not within a character of two code units. */
const beforeHalf = (text, place) => (/[\udc00-\udfff]/.test(text[place]) ? place - 1 : place);

/** The element in which a block continues: the code of a code block, the last item of a list. */
function endOf(block) {
  if (block.classList.contains("code")) return block.querySelector("code");
  let end = block;
  while (end.lastElementChild && /^(P|UL|OL|LI|BLOCKQUOTE|TABLE|TBODY|TR|TD)$/.test(end.lastElementChild.tagName)) {
    end = end.lastElementChild;
  }
  return end;
}
