// The settings sheet: colours, language, and whether each reply shows its details. They stay in this browser.
import { colours } from "./colours.js";
import { detailsShown } from "./details.js";
import { show } from "./dialogs.js";
import { chosenLanguage, languages } from "./language.js";

/** @returns {any} */
const byId = (/** @type {string} */ id) => document.getElementById(id);
const dialog = byId("settings-dialog");

byId("language").append(...languages.map(([code, name]) => Object.assign(new Option(name, code), { lang: code, className: "theirs" })));
byId("settings").addEventListener("click", () => {
  byId("colours").value = colours.get();
  byId("language").value = chosenLanguage.get();
  byId("show-details").checked = detailsShown.get();
  show(dialog);
});
byId("colours").addEventListener("change", () => colours.set(byId("colours").value));
byId("language").addEventListener("change", () => {
  chosenLanguage.set(byId("language").value);
  location.reload(); // the draft is kept, and a running reply goes on
});
byId("show-details").addEventListener("change", () => detailsShown.set(byId("show-details").checked));
dialog.querySelector("button").addEventListener("click", () => dialog.close());
