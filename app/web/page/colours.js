// Light and dark: as the system has it, until the user chooses. theme.js applies the choice before the first paint.
import { t } from "./language.js";
import { device } from "./memory.js";

const CHOICE = "chat.theme";
const root = document.documentElement;
const button = document.getElementById("theme");
const system = matchMedia("(prefers-color-scheme: dark)");

const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

/** What the user chose: `dark`, `light`, or empty for what the system has. */
export const colours = {
  get: () => root.dataset.theme ?? "",
  set(/** @type {string} */ theme) {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    if (theme) device.set(CHOICE, theme);
    else device.remove(CHOICE);
    tell();
  },
};

function tell() {
  button.setAttribute("aria-label", t(isDark() ? "theme.light" : "theme.dark"));
  button.querySelector("use").setAttribute("href", isDark() ? "#icon-light" : "#icon-dark");
}

button.addEventListener("click", () => colours.set(isDark() ? "light" : "dark"));
system.addEventListener("change", tell);
tell();
