// A block at the end of a growing text, as an element that is updated in place. Later text may change a block, but not
// all of it: a table keeps its rows, a list its items, and code its lines, except for the last ones. Such parts are
// settled: they stay in the document as they are, and their source is not parsed again. What remains of the source is a
// shorter block of the same kind, with the parts that are not settled.
import { element, listItem } from "./blocks.js";
import { blocksOf } from "./dialect.js";
import { patch, patchContent } from "./patch.js";

const PIECE = 2_000; // characters of settled code in one node
const ENDS_WITH_BLANK_LINE = /\n[ \t]*\n[ \t]*$/;
const HAS_BLANK_LINE = /\n.*\n/;

export class Unsettled {
  /** @type {HTMLElement | null} */
  element = null;
  /** How many nodes are settled in what contains the parts. */
  #settled = 0;
  /** Of a list: the source of each settled item, and whether items are as far apart as paragraphs. @type {string[]} */
  #items = [];
  #isLoose = false;

  /** Show the block, which is the last one that was shown here, with more text. */
  show(/** @type {any} */ block, /** @type {Element} */ root) {
    if (this.#isLoose) block.loose = true;
    const made = element(block);
    if (!this.element) root.append(made);
    if (this.element && this.#settled) patchContent(partsIn(this.element), partsIn(made), this.#settled);
    else this.element = this.element ? patch(this.element, made) : made;
  }

  /** The block is complete, as it was shown last. */
  close(/** @type {any} */ block) {
    if (block.type === "list" && block.loose) this.#setLoose(true);
  }

  /**
   * Settle what later text cannot change of the block, as it was shown last. Returns from where to where its source need
   * not be parsed again.
   * @returns {[number, number]}
   */
  settle(/** @type {any} */ block) {
    const { count, from, to } = settledParts(block);
    if (!count) return [0, 0];
    if (block.type === "list") this.#settleItems(block, count);
    if (block.type === "code") this.#settleLines(block.text.split("\n", count).join("\n").length + 1);
    else this.#settled += count;
    return [from, to];
  }

  /** Whether a node is in a part that later text may change. */
  mayChange(/** @type {Node | null} */ node) {
    if (!this.element?.contains(node)) return false;
    const first = this.#settled && partsIn(this.element).childNodes[this.#settled];
    if (!first) return !this.#settled;
    return first.contains(node) || Boolean(first.compareDocumentPosition(node) & Node.DOCUMENT_POSITION_FOLLOWING);
  }

  #settleItems(block, /** @type {number} */ count) {
    const items = block.items.slice(0, count);
    if (items.some(isLoose)) this.#setLoose(true);
    this.#items.push(...items.map((item) => item.raw));
    if (block.loose !== this.#isLoose) this.#redraw(this.#settled); // only because of an item that may still change
  }

  /** In Markdown, one blank line between two items, or within one, is for all of the list. */
  #setLoose(/** @type {boolean} */ isLoose) {
    if (this.#isLoose === isLoose) return;
    this.#isLoose = isLoose;
    this.#redraw(0);
  }

  #redraw(/** @type {number} */ from) {
    const shown = [...this.element.children].slice(from, this.#items.length);
    shown.forEach((item, n) => item.replaceWith(listItem(blocksOf(this.#items[from + n])[0].items[0], this.#isLoose)));
  }

  /** Settled code is in few nodes of limited length, so that a line costs the same, however many are before it. */
  #settleLines(/** @type {number} */ length) {
    const nodes = partsIn(this.element).childNodes;
    const text = /** @type {Text} */ (nodes[this.#settled]);
    const last = /** @type {Text | undefined} */ (nodes[this.#settled - 1]);
    if (last && last.length < PIECE) {
      last.appendData(text.data.slice(0, length));
      text.deleteData(0, length);
    } else {
      text.splitText(length);
      this.#settled += 1;
    }
  }
}

/** The element whose child nodes are the parts of the block. */
const partsIn = (/** @type {Element} */ block) => block.querySelector(":scope > table > tbody, :scope > pre > code") ?? block;

/**
 * How many parts at the beginning are settled, and where their source is. An item may go on until the first line of the
 * next one is complete, and a row until the next one begins. Code keeps two lines: the last one may be the fence, and the
 * line break before that is not in the code.
 */
function settledParts(/** @type {any} */ block) {
  if (block.type === "list") {
    const settled = block.items.slice(0, -2);
    return { count: settled.length, from: 0, to: lengthOf(settled.map(({ raw }) => raw)) };
  }
  const lines = /** @type {string[]} */ (block.raw.match(/[^\n]*\n|[^\n]+$/g) ?? []);
  const isFenced = block.type === "code" && block.codeBlockStyle !== "indented";
  const head = block.type === "table" ? 2 : 1;
  let count = 0;
  if (block.type === "table") count = block.rows.length - 1;
  else if (isFenced) count = lines.length - head - 2;
  const from = lengthOf(lines.slice(0, head));
  return { count: Math.max(0, count), from, to: from + lengthOf(lines.slice(head, head + count)) };
}

const lengthOf = (/** @type {string[]} */ texts) => texts.reduce((sum, text) => sum + text.length, 0);

/** Whether this item, which is not the last one, makes its list loose. */
const isLoose = (item) =>
  ENDS_WITH_BLANK_LINE.test(item.raw) || item.tokens.some(({ type, raw }) => type === "space" && HAS_BLANK_LINE.test(raw));
