// A text that grows word by word and is formatted as Markdown incrementally, in time proportional to what is new.
//
// In Markdown, new text can change only the last block (and a list, if the last line may become its next item). So all
// blocks before it are settled and never parsed again. The last one is reformatted for each addition while it is short;
// once it is long, words are appended as plain text, and it is reformatted when it has grown by a tenth: in total, that
// costs no more than ten times its length. For adversarial texts the parser takes quadratic time in a block's length, so
// a block has a maximum length, after which it continues as a new block.
import { element } from "./blocks.js";
import { blocksOf } from "./dialect.js";

const SHORT = 2_000;
const GROWTH = 1.1;
const LONGEST = 10_000;
/** Of blocks that have many parts, each of which is short. */
const LONGEST_OF_PARTS = { code: Infinity, list: 40_000, table: 100_000 };
const PIECE = 4_000;
const FENCE = /```|~~~/;
const BLANK_LINE = /\n\s*\n/;
const LINE_ENDS = /\n*$/;
/** The last line may yet become an item of the list before it. */
const MARKER_BEGINS = /^ *(?:\d{1,9}|[-*+])?$/;

export class GrowingText {
  #root;
  /** @type {string[]} */
  #pieces = [];
  #tail = "";
  #formattedLength = 0;
  /** The element of the last block. @type {HTMLElement | null} */
  #open = null;
  /** Receives words that are not formatted yet. @type {Text | null} */
  #tip = null;
  /** Whether the last line waits for more, because it may belong to the list before it. */
  #isHeld = false;

  constructor(/** @type {HTMLElement} */ root) {
    this.#root = root;
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

  /** Whether the user has selected a part of the last block, which is kept as it is for so long. */
  #isSelected() {
    const selection = getSelection();
    return !selection.isCollapsed && [selection.anchorNode, selection.focusNode].some((end) => this.#open?.contains(end));
  }

  #isDue(text) {
    if (this.#isHeld || this.#tail.length < SHORT || this.#tail.length > this.#formattedLength * GROWTH) return true;
    return FENCE.test(text) || (this.#open?.tagName === "P" && BLANK_LINE.test(text));
  }

  #format(isEnd = false) {
    const left = sideways(this.#open)?.scrollLeft;
    this.#open?.remove();
    this.#open = null;
    this.#tip = null;
    this.#isHeld = false;
    let blocks = blocksOf(this.#tail);
    for (let n = 0; n < blocks.length; n += 1) {
      const [block, ...rest] = blocks.slice(n, n + 3);
      const longest = LONGEST_OF_PARTS[block.type] ?? LONGEST;
      if (block.raw.length > longest) {
        const cut = block.raw.lastIndexOf("\n", longest) + 1 || beforeHalf(block.raw, longest);
        this.#settle(blocksOf(block.raw.slice(0, cut)), cut);
        blocks = blocksOf(this.#tail);
        n = -1;
      } else if (!isEnd && block.type === "list" && mayGoOn(blocks.slice(n + 1))) {
        this.#isHeld = true;
        this.#open = element(block);
        this.#root.append(this.#open);
        break;
      } else if (rest.length > 1 || (rest.length && rest[0].type !== "space")) {
        this.#settle([block], block.raw.length);
      } else if (rest.length && endsWithBlankLine(block)) {
        this.#settle([block], block.raw.length + rest[0].raw.lastIndexOf("\n") + 1); // a new line may have begun after it
        break;
      } else {
        this.#open = element(block);
        if (this.#open) this.#root.append(this.#open);
        break;
      }
    }
    this.#formattedLength = this.#tail.length;
    if (left && this.#open) Object.assign(sideways(this.#open) ?? {}, { scrollLeft: left });
  }

  /** Settle blocks that cover `length` characters: later text does not change them. */
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

/** Whether what comes after a list may be the beginning of its next item. */
function mayGoOn(blocks) {
  const following = blocks.filter((block) => block.type !== "space");
  return following.length === 1 && MARKER_BEGINS.test(following[0].raw);
}

/** What scrolls sideways in a block: a table, or code. */
const sideways = (block) => (block?.classList.contains("wide-content") ? block : block?.querySelector("pre, .wide-content"));

/** A place to cut that is not within a character of two code units. */
const beforeHalf = (text, place) => (/[\udc00-\udfff]/.test(text[place]) ? place - 1 : place);

/** Whether a blank line ends the block: lists, quotations and indented code may contain some. */
const endsWithBlankLine = (block) =>
  ["paragraph", "heading", "hr"].includes(block.type) || (block.type === "code" && block.codeBlockStyle !== "indented");

/** The element in which a block continues: the code of a code block, the last item of a list. */
function endOf(block) {
  if (block.classList.contains("code")) return block.querySelector("code");
  let end = block;
  while (end.lastElementChild && /^(P|UL|OL|LI|BLOCKQUOTE|TABLE|TBODY|TR|TD)$/.test(end.lastElementChild.tagName)) {
    end = end.lastElementChild;
  }
  return end;
}
