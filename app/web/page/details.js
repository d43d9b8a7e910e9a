// What a reply has cost, shown when somebody asks for it.
import { iconButton, make } from "./elements.js";

/**
 * A button, and the line that it shows and hides.
 * @param {{ words?: number, usage?: { prompt_tokens: number, completion_tokens: number }, omitted_messages?: number }} reply
 */
export function details(reply) {
  const line = make("p", "details");
  const shown = iconButton("info", "Details of this reply");
  line.hidden = true;
  shown.setAttribute("aria-expanded", "false");
  shown.addEventListener("click", () => {
    line.hidden = !line.hidden;
    line.textContent ||= told(reply);
    shown.setAttribute("aria-expanded", String(!line.hidden));
  });
  return [shown, line];
}

function told(/** @type {Parameters<typeof details>[0]} */ { words, usage, omitted_messages: omitted }) {
  const facts = [`Words: ${number(words ?? 0)}`];
  if (usage) facts.push(`Tokens read: ${number(usage.prompt_tokens)}`, `Tokens written: ${number(usage.completion_tokens)}`);
  else facts.push("The bot does not count tokens");
  if (omitted) facts.push(`Earlier messages that did not fit: ${number(omitted)}`);
  return facts.join(" · ");
}

const number = (/** @type {number} */ value) => value.toLocaleString("en");
