// A text that grows, word by word, formatted as Markdown while it does: in time that goes with what is new.
//
// In Markdown, what comes next can change the last block only. So all blocks before it are settled, and are not looked
// at again. The last one is formatted anew while it is short; once it is long, words are put behind it as they are, and
// it is formatted again whenever it has grown by a tenth: in all, that costs no more than ten times its length.
import { blocksOf, element } from "./blocks.js";

const SHORT = 2_000;
const GROWTH = 1.1;
const FENCE = /```|~~~/;
const BLANK_LINE = /\n\s*\n/;
const LINE_ENDS = /\n*$/;

export class GrowingText {
  #root;
  /** @type {string[]} */
  #pieces = [];
  #tail = "";
  #formattedLength = 0;
  /** The element of the last block. @type {HTMLElement | null} */
  #open = null;
  /** Where words go that are not formatted yet. @type {Text | null} */
  #tip = null;

  constructor(/** @type {HTMLElement} */ root) {
    this.#root = root;
  }

  /** All of it, as it was said. */
  get text() {
    this.#pieces = [this.#pieces.join("")];
    return this.#pieces[0];
  }

  append(/** @type {string} */ text) {
    this.#pieces.push(text);
    this.#tail += text;
    if (this.#isDue(text)) this.#format();
    else this.#write(text);
  }

  /** That was all. */
  finish() {
    if (this.#tail) this.#format();
  }

  #isDue(text) {
    if (this.#tail.length < SHORT || this.#tail.length > this.#formattedLength * GROWTH) return true;
    return FENCE.test(text) || (this.#open?.tagName === "P" && BLANK_LINE.test(text));
  }

  #format() {
    const blocks = blocksOf(this.#tail);
    let open = blocks.length - 1;
    while (open > 0 && blocks[open].type === "space") open -= 1;
    if (open < blocks.length - 1 && endsWithBlankLine(blocks[open])) open = blocks.length;
    this.#open?.remove();
    this.#open = null;
    for (const [number, block] of blocks.entries()) {
      const made = number <= open ? element(block) : null;
      if (made) this.#root.append(made);
      if (number < open) this.#tail = this.#tail.slice(lengthOf(block, number === blocks.length - 1));
      else if (number === open) this.#open = made;
    }
    this.#formattedLength = this.#tail.length;
    this.#tip = null;
  }

  #write(text) {
    if (!this.#tip) {
      this.#tip = document.createTextNode(LINE_ENDS.exec(this.#tail.slice(0, -text.length))?.[0] ?? "");
      endOf(this.#open ?? this.#root).append(this.#tip);
    }
    this.#tip.appendData(text);
  }
}

/** Whether a blank line settles it: in a list, a quotation or an indented text there may be some. */
const endsWithBlankLine = (block) =>
  ["paragraph", "heading", "hr"].includes(block.type) || (block.type === "code" && block.codeBlockStyle !== "indented");

/** The white space that the text ends with may be the beginning of a line. */
const lengthOf = (block, isLast) => (isLast ? block.raw.lastIndexOf("\n") + 1 : block.raw.length);

/** The element in which a block goes on: the code of a code block, the last item of a list. */
function endOf(block) {
  if (block.classList.contains("code")) return block.querySelector("code");
  let end = block;
  while (end.lastElementChild && /^(P|UL|OL|LI|BLOCKQUOTE|TABLE|TBODY|TR|TD)$/.test(end.lastElementChild.tagName)) {
    end = end.lastElementChild;
  }
  return end;
}
