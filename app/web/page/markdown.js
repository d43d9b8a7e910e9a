// A text that grows, word by word, formatted as Markdown while it does: in time that goes with what is new.
//
// In Markdown, what comes next can change the last block only. So all blocks before it are settled, and are not looked
// at again. The last one is formatted anew while it is short; once it is long, words are put behind it as they are, and
// it is formatted again whenever it has grown by a tenth: in all, that costs no more than ten times its length. The parser
// itself can need the square of a block's length, for texts that are made for that, so a block has a longest length: then
// it goes on as another one.
import { blocksOf, element } from "./blocks.js";

const SHORT = 2_000;
const GROWTH = 1.1;
const LONGEST = 10_000;
const PIECE = 4_000;
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
    for (let from = 0; from < text.length; from += PIECE) this.#add(text.slice(from, from + PIECE));
  }

  #add(text) {
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
    this.#open?.remove();
    this.#open = null;
    this.#tip = null;
    let blocks = blocksOf(this.#tail);
    for (let n = 0; n < blocks.length; n += 1) {
      const [block, ...rest] = blocks.slice(n, n + 3);
      if (block.type !== "code" && block.raw.length > LONGEST) {
        const cut = block.raw.lastIndexOf("\n", LONGEST) + 1 || LONGEST;
        this.#settle(blocksOf(block.raw.slice(0, cut)), cut);
        blocks = blocksOf(this.#tail);
        n = -1;
      } else if (rest.length > 1 || (rest.length && rest[0].type !== "space")) {
        this.#settle([block], block.raw.length);
      } else if (rest.length && endsWithBlankLine(block)) {
        this.#settle([block], block.raw.length + rest[0].raw.lastIndexOf("\n") + 1); // then a line may have begun
        break;
      } else {
        this.#open = element(block);
        if (this.#open) this.#root.append(this.#open);
        break;
      }
    }
    this.#formattedLength = this.#tail.length;
  }

  /** What comes next does not change these, which are so many characters of the text. */
  #settle(blocks, length) {
    this.#root.append(...blocks.map(element).filter(Boolean));
    this.#tail = this.#tail.slice(length);
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

/** The element in which a block goes on: the code of a code block, the last item of a list. */
function endOf(block) {
  if (block.classList.contains("code")) return block.querySelector("code");
  let end = block;
  while (end.lastElementChild && /^(P|UL|OL|LI|BLOCKQUOTE|TABLE|TBODY|TR|TD)$/.test(end.lastElementChild.tagName)) {
    end = end.lastElementChild;
  }
  return end;
}
