// Small elements that several parts of the page are made of, and the events by which parts tell the page of a wish.

/** @returns {any} */
export function make(/** @type {string} */ name, className = "") {
  const made = document.createElement(name);
  made.className = className;
  return made;
}

export function icon(/** @type {string} */ name) {
  const [svg, use] = ["svg", "use"].map((part) => document.createElementNS("http://www.w3.org/2000/svg", part));
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** A button with an icon and a visible label. @returns {HTMLButtonElement} */
export function button(/** @type {string} */ name, /** @type {string} */ label) {
  const made = make("button");
  made.type = "button";
  made.append(icon(name), Object.assign(make("span"), { textContent: label }));
  return made;
}

/** A button with an icon only. @returns {HTMLButtonElement} */
export function iconButton(/** @type {string} */ name, /** @type {string} */ label) {
  const made = make("button", "icon");
  made.type = "button";
  made.append(icon(name));
  made.title = label;
  made.setAttribute("aria-label", label);
  return made;
}

/** Tell the page of the user's wish: an event that bubbles up from the element. Returns whether it is granted. */
export function wish(/** @type {Element} */ element, /** @type {string} */ name, /** @type {any} */ detail) {
  return element.dispatchEvent(new CustomEvent(name, { bubbles: true, cancelable: true, detail }));
}
