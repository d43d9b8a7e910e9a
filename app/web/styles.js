// Lets the viewer's styles pass the page's policy, which has no 'unsafe-inline': the viewer makes its style sheets at run
// time, and gives a nonce to the first of them only. A style that a script sets by itself, and not as an attribute's
// text, needs no leave.
"use strict";
{
  const nonce = document.currentScript.nonce;
  const { createElement } = Document.prototype;
  const { setAttribute } = Element.prototype;

  Document.prototype.createElement = function (...options) {
    const element = createElement.apply(this, options);
    if (element instanceof HTMLStyleElement) element.nonce = nonce;
    return element;
  };

  Element.prototype.setAttribute = function (name, value) {
    if (name === "style" && this.style) this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };
}
