// The list of conversations: shows it, and opens and deletes conversations.
import { conversations, deleteConversation, Problem } from "./client.js";
import { askToDelete, withKey } from "./dialogs.js";
import { isolated, line, locale, t } from "./language.js";
import { icon } from "./turns.js";

/** @returns {any} */
const byId = (/** @type {string} */ id) => document.getElementById(id);

export class List {
  #shown = "";
  #cursor = "";
  #asked = 0;

  /** @param {{ onDeleted: (id: string) => void }} listener */
  constructor({ onDeleted }) {
    this.onDeleted = onDeleted;
    byId("more-conversations").addEventListener("click", () => this.#load(this.#cursor));
  }

  /** Mark the open conversation. */
  show(/** @type {string} */ id) {
    this.#shown = id;
    for (const link of byId("conversations").querySelectorAll("a")) this.#mark(link);
  }

  /** Reload the first page. */
  refresh() {
    return this.#load("");
  }

  async #load(cursor) {
    const asked = (this.#asked += 1);
    const told = byId("list-problem");
    try {
      const page = await withKey(() => conversations(cursor));
      if (asked !== this.#asked) return; // superseded by a later request
      if (cursor) this.#extend(page);
      else this.#renew(page);
      told.hidden = true;
    } catch (error) {
      told.textContent = t("list.failed", { why: error.message });
      told.hidden = false;
    }
    byId("no-conversations").hidden = !told.hidden || Boolean(byId("conversations").firstChild);
    byId("more-conversations").hidden = !this.#cursor;
  }

  #extend(page) {
    const shown = byId("conversations");
    const known = new Set([...shown.children].map((item) => item.dataset.id));
    const isNew = ({ conversation_id: id }) => !known.has(id);
    this.#cursor = page.next_cursor ?? "";
    shown.append(...page.conversations.filter(isNew).map((summary) => this.#item(summary)));
  }

  /** Show a new first page, and keep what was shown after it, and the focus. */
  #renew(page) {
    const shown = byId("conversations");
    const ids = new Set(page.conversations.map((summary) => summary.conversation_id));
    const last = page.conversations.at(-1)?.updated_at;
    const isOlder = (item) => !ids.has(item.dataset.id) && item.dataset.updatedAt < last;
    const older = page.next_cursor ? [...shown.children].filter(isOlder) : [];
    if (!older.length) this.#cursor = page.next_cursor ?? "";
    const focused = document.activeElement;
    const id = shown.contains(focused) ? /** @type {HTMLElement} */ (focused.closest("li")).dataset.id : "";
    shown.replaceChildren(...page.conversations.map((summary) => this.#item(summary)), ...older);
    const again = [...shown.children].find((item) => item.dataset.id === id);
    if (id) again?.querySelector(focused.localName)?.focus();
  }

  #item({ conversation_id: id, title, updated_at: updatedAt }) {
    const link = document.createElement("a");
    link.href = `#${id}`;
    const name = document.createElement("bdi");
    name.textContent = line(title);
    link.append(name);
    link.title = isolated(title);
    const time = document.createElement("time");
    time.dateTime = updatedAt;
    time.textContent = when(new Date(updatedAt));
    link.append(time);
    this.#mark(link);
    const remove = document.createElement("button");
    remove.type = "button";
    remove.className = "icon";
    remove.append(icon("delete"));
    remove.setAttribute("aria-label", t("delete.named", { title: isolated(title) }));
    remove.addEventListener("click", () => this.#delete(id, title));
    const item = document.createElement("li");
    Object.assign(item.dataset, { id, updatedAt });
    item.append(link, remove);
    return item;
  }

  #mark(link) {
    if (link.hash === `#${this.#shown}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }

  async #delete(id, title) {
    if (!(await askToDelete(title))) return;
    try {
      await withKey(() => deleteConversation(id));
    } catch (error) {
      if (!(error instanceof Problem && error.status === 404)) {
        byId("list-problem").textContent = t("delete.failed", { title: isolated(title), why: error.message });
        byId("list-problem").hidden = false;
        return;
      }
    }
    this.onDeleted(id);
    await this.refresh();
  }
}

function when(date) {
  const isToday = date.toDateString() === new Date().toDateString();
  return date.toLocaleString(locale, isToday ? { timeStyle: "short" } : { dateStyle: "medium" });
}
