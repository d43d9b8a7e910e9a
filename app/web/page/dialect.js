// The dialect of Markdown: GitHub's, with line breaks preserved, and with what models mean where the two differ.
//
// - HTML and link definitions are plain text.
// - Only two tildes strike through: `5~10, 20~30` are ranges.
// - Bold text beside Chinese, Japanese or Korean letters may begin and end with punctuation: those scripts have no spaces.
// - Mathematics (`\( … \)`, `\[ … \]`, `$…$`, `$$…$$`) is shown as written: no mark in it is Markdown.
import { Marked } from "../vendor/marked.js";

const BOLD = /^\*\*(?![\s*])([^*\n]*[^\s*])\*\*(?!\*)/;
const EAST_ASIAN = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;
const PUNCTUATION_AT_END = /^[\p{P}\p{S}]|[\p{P}\p{S}]$/u;
const DEEPEST = 40;
const TOO_DEEP = new RegExp(`^(?:[ \\t]*>){${DEEPEST},}`, "m");

/** Bold text that CommonMark does not take as such. @this {any} */
function emStrong(/** @type {string} */ source, /** @type {string} */ _, /** @type {string} */ before) {
  const bold = BOLD.exec(source);
  if (!bold || !PUNCTUATION_AT_END.test(bold[1])) return false;
  const after = String.fromCodePoint(source.codePointAt(bold[0].length) ?? 32);
  if (!EAST_ASIAN.test(before) && !EAST_ASIAN.test(after)) return false;
  return { type: "strong", raw: bold[0], text: bold[1], tokens: this.lexer.inlineTokens(bold[1]) };
}

const INLINE_MATHS =
  /^(?:\\\((?:(?!\\\)|\n\s*\n)[^])+\\\)|\\\[(?:(?!\\\]|\n\s*\n)[^])+\\\]|\$\$(?:(?!\$\$|\n\s*\n)[^])+\$\$|\$(?![\s$])(?:[^$\n\\]|\\[^\n])*(?<!\s)\$(?!\d))/;
const BLOCK_MATHS = /^(?:\$\$|\\\[)[ \t]*\n(?:(?!\n[ \t]*\n)[^])*?(?:(?:\$\$|\\\])[ \t]*(?:\n+|$)|(?=\n[ \t]*\n)|$(?![^]))/;
const BLOCK_START = /(?:^|\n)(?=(?:\$\$|\\\[)[ \t]*\n)/;
const INLINE_START = /\\[([]|\$/;

/** @type {(level: "block" | "inline", rule: RegExp, start: RegExp) => any} */
const maths = (level, rule, start) => ({
  name: `${level}Maths`,
  level,
  start: (/** @type {string} */ source) => {
    const found = start.exec(source);
    return found ? found.index + (found[0] === "\n" ? 1 : 0) : undefined;
  },
  tokenizer(/** @type {string} */ source) {
    const found = rule.exec(source);
    return found ? { type: `${level}Maths`, raw: found[0], text: found[0].trimEnd() } : undefined;
  },
});

const marked = new Marked({
  gfm: true,
  breaks: true,
  tokenizer: {
    html: () => undefined,
    tag: () => undefined,
    def: () => undefined,
    del: (/** @type {string} */ source) => (source.startsWith("~~") ? false : undefined),
    emStrong,
    blockquote: (/** @type {string} */ source) => (TOO_DEEP.test(source) ? undefined : false),
  },
  extensions: [maths("block", BLOCK_MATHS, BLOCK_START), maths("inline", INLINE_MATHS, INLINE_START)],
});

/** The blocks of a text, in order; their `raw` strings add up to the text. */
export const blocksOf = (/** @type {string} */ text) => marked.lexer(text);
