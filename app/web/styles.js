// Makes the viewer comply with the page's policy, so that the browser has nothing to report.
//
// The policy has no 'unsafe-inline', but the viewer creates style sheets at run time, and sets a nonce only on the first of
// them. And it sets the attribute `style`, which needs permission; to set the same styles through the CSSOM does not.
// It has no 'unsafe-eval', either, which one of the viewer's libraries tries for its speed.
"use strict";
{
  const nonce = document.currentScript.nonce;
  const { createElement } = Document.prototype;
  const { setAttribute } = Element.prototype;
  const innerHTML = Object.getOwnPropertyDescriptor(Element.prototype, "innerHTML");
  const STYLE_ATTRIBUTE = /(<[a-z][^<>]*?\s)style=/gi;

  Document.prototype.createElement = function (...options) {
    const element = createElement.apply(this, options);
    if (element instanceof HTMLStyleElement) element.nonce = nonce;
    return element;
  };

  Element.prototype.setAttribute = function (name, value) {
    if (name === "style" && this.style) this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };

  Object.defineProperty(Element.prototype, "innerHTML", {
    ...innerHTML,
    set(html) {
      innerHTML.set.call(this, String(html ?? "").replace(STYLE_ATTRIBUTE, "$1data-style="));
      for (const element of (this.content ?? this).querySelectorAll("[data-style]")) {
        element.style.cssText = element.dataset.style;
        delete element.dataset.style;
      }
    },
  });

  window.__zod_globalConfig = { jitless: true };
}
