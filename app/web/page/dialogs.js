// Dialogs that the page waits for.
import { key, Problem } from "./client.js";
import { line } from "./language.js";

/** @returns {any} */
const byId = (/** @type {string} */ id) => document.getElementById(id);

/** Show a dialog. Resolves to whether it was confirmed. @returns {Promise<boolean>} */
function asked(dialog) {
  return new Promise((resolve) => {
    const over = new AbortController();
    const { signal } = over;
    const end = (isAgreed) => {
      over.abort();
      dialog.close();
      resolve(isAgreed);
    };
    dialog.querySelector("form").addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        end(true);
      },
      { signal },
    );
    dialog.querySelector("[value=cancel]").addEventListener("click", () => end(false), { signal });
    // Escape. (The event is asynchronous: it may belong to an earlier dialog, while this one is open again.)
    dialog.addEventListener("close", () => dialog.open || end(false), { signal });
    dialog.showModal();
  });
}

let isAsking = null;

/** Ask for a key, once for all requests that are waiting for one. @returns {Promise<boolean>} */
export function askForKey(/** @type {Problem} */ problem) {
  isAsking ??= (async () => {
    const field = byId("key");
    field.value = "";
    if (problem.type !== "credentials-missing") byId("key-problem").textContent = `${problem.title}. ${problem.message}`;
    const isAgreed = await asked(byId("key-dialog"));
    if (isAgreed) key.set(field.value.trim(), byId("remember").checked);
    field.value = "";
    return isAgreed;
  })().finally(() => (isAsking = null));
  return isAsking;
}

/** Run an action; if it requires a key, ask for one and run it again. */
export async function withKey(doIt) {
  for (;;) {
    try {
      return await doIt();
    } catch (error) {
      if (!(error instanceof Problem && error.status === 401 && (await askForKey(error)))) throw error;
    }
  }
}

/** @returns {Promise<boolean>} */
export function askToDelete(/** @type {string} */ title) {
  byId("delete-name").textContent = line(title);
  return asked(byId("delete-dialog"));
}
