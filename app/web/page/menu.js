// The menu of the open conversation: rename, export, delete. And to delete all conversations.
import { deleteConversations, exported, updateConversation } from "./client.js";
import { askForTitle, askToDeleteAll, withKey } from "./dialogs.js";
import { make } from "./elements.js";
import { t } from "./language.js";
import { notify } from "./view.js";

/** @typedef {{ id: string, title: string }} Open */

/** @returns {any} */
const byId = (/** @type {string} */ id) => document.getElementById(id);

/**
 * Start listening.
 * @param {{ open: () => Open, onRenamed: (id: string, title: string) => void, onDelete: (open: Open) => void,
 *   onAllDeleted: () => void }} page
 */
export function listenToMenu({ open, onRenamed, onDelete, onAllDeleted }) {
  const choices = {
    rename: ({ id, title }) => rename(id, title, onRenamed),
    "export-markdown": (/** @type {Open} */ { id, title }) => save(id, "markdown", `${fileName(title)}.md`),
    "export-json": (/** @type {Open} */ { id, title }) => save(id, "export", `${fileName(title)}.json`),
    delete: onDelete,
  };
  for (const [name, choose] of Object.entries(choices)) {
    byId(name).addEventListener("click", () => {
      byId("menu").hidePopover();
      void choose(open());
    });
  }
  byId("delete-all").addEventListener("click", () => deleteAll(onAllDeleted));
}

async function rename(id, before, onRenamed) {
  const title = await askForTitle(before);
  if (!title) return;
  try {
    const told = await withKey(() => updateConversation(id, { title }));
    onRenamed(id, told.title);
  } catch (error) {
    notify(t("rename.failed", { why: error.message }));
  }
}

async function save(id, how, name) {
  try {
    const url = URL.createObjectURL(await withKey(() => exported(id, how)));
    Object.assign(make("a"), { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000); // the download has begun by then
  } catch (error) {
    notify(t("export.failed", { why: error.message }));
  }
}

/** A title without what some file system refuses. */
const fileName = (/** @type {string} */ title) => title.replace(/[\s\\/:*?"<>|.\p{C}]+/gu, " ").trim() || "conversation";

async function deleteAll(onAllDeleted) {
  if (!(await askToDeleteAll())) return;
  try {
    await withKey(deleteConversations);
    onAllDeleted();
  } catch (error) {
    notify(t("delete-all.failed", { why: error.message }));
  }
}
