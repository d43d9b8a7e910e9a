// Who answers, as the service says: its name, the model, what to suggest, and how long a message may be.
import { service } from "./client.js";
import { allow } from "./composer.js";
import { withKey } from "./dialogs.js";
import { make } from "./elements.js";
import { titlesAreFrom } from "./titles.js";
import { nameService } from "./view.js";

/** @returns {any} */
const byId = (/** @type {string} */ id) => document.getElementById(id);

/** Ask the service, and show its answer. Without one, nothing is suggested. `onChosen` gets a suggestion. */
export async function introduce(/** @type {(text: string) => void} */ onChosen) {
  const { name, bot, model, suggestions, titles, limits } = await withKey(service);
  nameService(name);
  byId("who").textContent = `${name} · ${model ?? bot}`;
  byId("suggestions").replaceChildren(
    ...suggestions.map((text) => {
      const made = Object.assign(make("button"), { type: "button", textContent: text, dir: "auto" });
      made.addEventListener("click", () => onChosen(text));
      return made;
    }),
  );
  allow(limits.message_characters);
  titlesAreFrom(titles);
}
