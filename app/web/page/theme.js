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

  const isDark = () =>
    (document.documentElement.dataset.theme ??
      (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const tell = () => {
      button.setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
      button.querySelector("use").setAttribute("href", isDark() ? "#icon-light" : "#icon-dark");
    };
    button.addEventListener("click", () => {
      const theme = isDark() ? "light" : "dark";
      document.documentElement.dataset.theme = theme;
      remembered(() => localStorage.setItem("chat.theme", theme));
      tell();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell);
    tell();
  });
})();
