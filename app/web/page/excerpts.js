// Where a search has found its words, as the service shows it: texts in which they are marked.
import { make } from "./elements.js";

/** As the contract has it: places are in code points. @typedef {{ text: string, matches: { start: number, end: number }[] }} Excerpt */

/** A part of a message. Like a title, it runs in its own direction. */
export function excerpt(/** @type {Excerpt} */ found) {
  const shown = make("bdi", "excerpt");
  shown.append(...marked(found));
  return shown;
}

/** The parts of a text, of which those that match are marked. */
export function marked(/** @type {Excerpt} */ { text, matches }) {
  const characters = [...text];
  const part = (/** @type {number} */ start, /** @type {number | undefined} */ end) => characters.slice(start, end).join("");
  let place = 0;
  const parts = matches.flatMap(({ start, end }) => {
    const before = part(place, start);
    place = end;
    return [before, Object.assign(make("mark"), { textContent: part(start, end) })];
  });
  return [...parts, part(place, undefined)];
}
