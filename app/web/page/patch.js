// Makes an element look like a new one, and keeps each node that stays the same: with its place, focus and selection, and
// without another layout of what did not change.

/**
 * Returns the node that is in the document now: the old one, or the new one if they are of another kind.
 * @param {any} old
 * @param {any} made
 */
export function patch(old, made) {
  if (old.isEqualNode(made)) return old;
  if (old.nodeType === Node.TEXT_NODE && made.nodeType === Node.TEXT_NODE) {
    if (made.data.startsWith(old.data)) old.appendData(made.data.slice(old.length)); // a selection in it is kept
    else old.data = made.data;
    return old;
  }
  if (!old.cloneNode(false).isEqualNode(made.cloneNode(false))) {
    old.replaceWith(made);
    return made;
  }
  patchContent(old, made);
  return old;
}

/** As `patch`, for what is in an element, after so many nodes that are not compared. */
export function patchContent(/** @type {Element} */ old, /** @type {Element} */ made, from = 0) {
  let place = old.childNodes[from] ?? null;
  for (const node of [...made.childNodes]) {
    if (place) place = patch(place, node).nextSibling;
    else old.append(node);
  }
  while (place) {
    const rest = place.nextSibling;
    place.remove();
    place = rest;
  }
}
