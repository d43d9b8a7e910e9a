// Runs before the first paint, so that the page never flashes in the other theme. Not a module for the same reason.
"use strict";

(() => {
  const remembered = (/** @type {() => string | null | void} */ use) => {
    try {
      return use();
    } catch {
      return null; // cookies and site data are blocked
    }
  };

  const chosen = remembered(() => localStorage.getItem("chat.theme"));
  if (chosen) document.documentElement.dataset.theme = chosen;
})();
