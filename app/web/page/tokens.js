// Reads code line by line with one of CodeMirror's modes. A mode reads a token from a line, from where it is, and keeps in
// a state what the following lines need to know.

const TAB = 4; // columns
const LONGEST_LINE = 1_000; // characters; longer lines are not read
const TRIES = 10; // a mode may change its state without reading, but not for ever

/** @typedef {{ token: (line: Line, state: any) => string | null, startState?: (unit: number) => any,
 *   blankLine?: (state: any, unit: number) => void }} Mode */

/**
 * All of the code in pieces, with the style of each.
 * @param {string} code
 * @param {Mode} mode
 * @returns {Generator<[string, string | null]>}
 */
export function* tokens(code, mode) {
  const state = mode.startState?.(TAB) ?? {};
  for (const [n, text] of code.split("\n").entries()) {
    if (n) yield ["\n", null];
    if (!text) mode.blankLine?.(state, TAB);
    if (text.length > LONGEST_LINE) {
      yield [text, null];
      continue;
    }
    const line = new Line(text);
    while (!line.eol()) {
      const style = read(mode, line, state);
      yield [line.current(), style];
      line.start = line.pos;
    }
  }
}

function read(/** @type {Mode} */ mode, /** @type {Line} */ line, /** @type {any} */ state) {
  for (let n = 0; n < TRIES; n += 1) {
    const style = mode.token(line, state);
    if (line.pos > line.start) return style;
  }
  line.next();
  return null;
}

/** What a mode reads from: CodeMirror's interface `StringStream`. */
class Line {
  start = 0;
  pos = 0;
  tabSize = TAB;
  indentUnit = TAB;

  constructor(/** @type {string} */ string) {
    this.string = string;
  }

  sol() {
    return this.pos === 0;
  }

  eol() {
    return this.pos >= this.string.length;
  }

  peek() {
    return this.string[this.pos];
  }

  next() {
    return this.eol() ? undefined : this.string[this.pos++];
  }

  eat(/** @type {string | RegExp | ((character: string) => boolean)} */ wanted) {
    const character = this.peek();
    if (character === undefined) return undefined;
    const isWanted =
      typeof wanted === "string" ? character === wanted : wanted instanceof RegExp ? wanted.test(character) : wanted(character);
    return isWanted ? this.next() : undefined;
  }

  eatWhile(/** @type {Parameters<Line["eat"]>[0]} */ wanted) {
    const before = this.pos;
    while (this.eat(wanted) !== undefined);
    return this.pos > before;
  }

  eatSpace() {
    return this.eatWhile(/\s/);
  }

  skipToEnd() {
    this.pos = this.string.length;
  }

  skipTo(/** @type {string} */ character) {
    const place = this.string.indexOf(character, this.pos);
    if (place >= 0) this.pos = place;
    return place >= 0;
  }

  backUp(/** @type {number} */ count) {
    this.pos -= count;
  }

  column() {
    return columns(this.string.slice(0, this.start));
  }

  indentation() {
    return columns(/^\s*/.exec(this.string)[0]);
  }

  match(/** @type {string | RegExp} */ pattern, isEaten = true, ignoresCase = false) {
    if (typeof pattern === "string") {
      const [text, wanted] = [this.string.slice(this.pos, this.pos + pattern.length), pattern].map((one) => (ignoresCase ? one.toLowerCase() : one));
      if (text !== wanted) return null;
      if (isEaten) this.pos += pattern.length;
      return true;
    }
    const found = this.string.slice(this.pos).match(pattern);
    if (!found || found.index) return null;
    if (isEaten) this.pos += found[0].length;
    return found;
  }

  current() {
    return this.string.slice(this.start, this.pos);
  }
}

function columns(/** @type {string} */ text) {
  let count = 0;
  for (const character of text) count += character === "\t" ? TAB - (count % TAB) : 1;
  return count;
}
