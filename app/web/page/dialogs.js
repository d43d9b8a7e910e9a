// Dialogs that the page waits for.
import { key, Problem } from "./client.js";
import { isSomewhere, restore } from "./focus.js";
import { line } from "./language.js";

/** @returns {any} */
const byId = (/** @type {string} */ id) => document.getElementById(id);

/** What had the focus before each open dialog. @type {WeakMap<EventTarget, Element>} */
const origins = new WeakMap();

/** Show a dialog. When it is closed, the focus is where it was, as far as that is still there. */
export function show(/** @type {HTMLDialogElement} */ dialog) {
  if (isSomewhere(document.activeElement)) origins.set(dialog, document.activeElement);
  dialog.showModal();
}

const onClosed = (/** @type {any} */ { target: dialog }) => {
  if (dialog.open || !origins.has(dialog)) return; // the event is asynchronous: it may be open again
  restore(origins.get(dialog));
  origins.delete(dialog);
};
addEventListener("close", onClosed, { capture: true });

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
    // Escape. (The event may belong to an earlier dialog, while this one is open again.)
    dialog.addEventListener("close", () => dialog.open || end(false), { signal });
    show(dialog);
  });
}

let isAsking = null;

/**
 * Ask for a key, once for all requests that are waiting for one. Resolves to whether there is another one to try: a
 * request that was refused without it may hear so only now.
 * @returns {Promise<boolean>}
 */
export async function askForKey(/** @type {Problem} */ problem) {
  if (!isAsking && key.get() !== problem.shown) return true;
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
export const askToDeleteAll = () => asked(byId("delete-all-dialog"));

/** Ask for another title. Resolves to an empty text if there is none. @returns {Promise<string>} */
export async function askForTitle(/** @type {string} */ before) {
  const field = byId("new-title");
  field.value = before;
  const isAgreed = asked(byId("rename-dialog"));
  field.select();
  return (await isAgreed) && field.value.trim() !== before ? field.value.trim() : "";
}

/** Ask why somebody thinks so of a reply. Resolves to `null` if that was cancelled. @returns {Promise<string | null>} */
export async function askForNote(/** @type {string} */ before) {
  const field = byId("note");
  field.value = before;
  return (await asked(byId("note-dialog"))) ? field.value.trim() : null;
}

/** @returns {Promise<boolean>} */
export function askToDelete(/** @type {string} */ title) {
  byId("delete-name").textContent = line(title);
  return asked(byId("delete-dialog"));
}
