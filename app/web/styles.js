// Makes the viewer's styles comply with the page's policy, which has no 'unsafe-inline': the viewer creates style sheets
// at run time, and sets a nonce only on the first of them. Styles that a script sets through the CSSOM, instead of as an
// attribute's text, need no permission.
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
