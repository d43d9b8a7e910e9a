// Markdown as elements. Text is never parsed as HTML: each element is created explicitly, and text stays text, so a
// model's output cannot do anything. Links show their target; images become links, because loading one could leak the
// conversation to another host.
import { decoded } from "./entities.js";
import { t } from "./language.js";

/** The first word after a fence. */
const LANGUAGE = /^[\w+#.-]{1,20}/;

/** The element for a block, which is one of Marked's tokens; `null` for blank space between blocks. */
export function element(block) {
  const made = inner(block);
  if (made) made.dir = block.type === "code" ? "ltr" : "auto"; // parts inherit it: what has its own does not count for "auto"
  return made;
}

function inner(block) {
  switch (block.type) {
    case "space":
      return null;
    case "heading":
      return make(`h${Math.min(6, block.depth + 1)}`, inline(block.tokens)); // h1 is the page's own heading
    case "hr":
      return make("hr");
    case "blockquote":
      return make("blockquote", block.tokens.map(inner));
    case "code":
      return code(block);
    case "list":
      return list(block);
    case "table":
      return table(block);
    case "blockMaths":
      return Object.assign(make("p", [plain(block.text)]), { className: "maths" });
    default: // a paragraph, or text in a list
      return make("p", inline(block.tokens ?? []));
  }
}

function inline(tokens) {
  return tokens.map((token) => {
    switch (token.type) {
      case "strong":
        return make("strong", inline(token.tokens));
      case "em":
        return make("em", inline(token.tokens));
      case "del":
        return make("s", inline(token.tokens));
      case "codespan":
        return make("code", [plain(token.text)]);
      case "br":
        return make("br");
      case "link":
        return link(token, token.text === token.href ? [plain(decoded(token.text))] : inline(token.tokens));
      case "image":
        return link(token, [plain(t("picture", { name: token.text || token.href }))]);
      case "text":
        return token.tokens ? fragment(inline(token.tokens)) : plain(decoded(token.text));
      case "escape":
        return plain(token.text);
      case "checkbox":
        return checkbox(token.checked);
      default:
        return plain(token.raw);
    }
  });
}

function link(token, content) {
  const address = decoded(token.href);
  if (!/^(https?:\/\/|mailto:)/i.test(address)) return plain(token.raw);
  const anchor = make("a", content);
  anchor.href = address;
  anchor.title = address;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer nofollow";
  return anchor;
}

function code(block) {
  const inner = make("code", [plain(block.text)]);
  const pre = make("pre", [inner]);
  pre.tabIndex = 0; // scrollable with the keyboard
  const copy = make("button", [plain(t("copy"))]);
  copy.type = "button";
  copy.dataset.copies = "code";
  const language = LANGUAGE.exec(block.lang ?? "")?.[0] ?? "";
  copy.setAttribute("aria-label", t("copy.code", { language: language || t("code") }));
  const label = make("span", [plain(language)]);
  label.className = "language";
  const box = make("div", language ? [label, pre, copy] : [pre, copy]);
  box.className = "code";
  return box;
}

function list(block) {
  const made = make(block.ordered ? "ol" : "ul", block.items.map((item) => listItem(item, block.loose)));
  if (block.ordered && block.start !== 1) made.start = block.start;
  return made;
}

/** The element for an item. In a loose list, the text of items is in paragraphs. */
export function listItem(item, /** @type {boolean} */ isLoose) {
  const made = make(
    "li",
    withCheckbox(item.tokens).map((token) => {
      return token.type === "text" && !isLoose ? fragment(inline(token.tokens ?? [token])) : inner(token);
    }),
  );
  if (item.task) made.className = "task";
  return made;
}

/** An item's tokens, with the checkbox in the text before which it is. */
function withCheckbox([first, ...rest]) {
  if (first?.type !== "checkbox") return first ? [first, ...rest] : [];
  const [text, ...others] = ["text", "paragraph"].includes(rest[0]?.type) ? rest : [{ type: "text", tokens: [] }, ...rest];
  return [{ ...text, tokens: [first, ...(text.tokens ?? [text])] }, ...others];
}

function checkbox(isChecked) {
  const box = make("input");
  box.type = "checkbox";
  box.defaultChecked = isChecked;
  box.disabled = true;
  return fragment([box, plain(" ")]);
}

function table(block) {
  const cell = (kind) => (content) => {
    const made = make(kind, inline(content.tokens));
    if (content.align) made.style.textAlign = content.align;
    return made;
  };
  const head = make("thead", [make("tr", block.header.map(cell("th")))]);
  const body = make("tbody", block.rows.map((row) => make("tr", row.map(cell("td")))));
  const box = make("div", [make("table", [head, body])]);
  box.className = "wide-content";
  box.tabIndex = 0;
  return box;
}

function make(name, content = []) {
  const made = document.createElement(name);
  made.append(...content.filter(Boolean));
  return made;
}

function fragment(content) {
  const made = document.createDocumentFragment();
  made.append(...content);
  return made;
}

const plain = (text) => document.createTextNode(text);
