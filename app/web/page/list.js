// The list of conversations: shows it, searches in it, and opens and deletes conversations.
import { conversations, deleteConversation, Problem } from "./client.js";
import { isComposing } from "./composer.js";
import { dayHeading, dayName } from "./days.js";
import { askToDelete, withKey } from "./dialogs.js";
import { icon } from "./elements.js";
import { excerpt as found, marked } from "./excerpts.js";
import { keepFocus } from "./focus.js";
import { isolated, line, locale, t } from "./language.js";
import { notify } from "./view.js";

/** @type {Intl.DateTimeFormatOptions} */
const MONTH = { month: "long", year: "numeric" };
const TYPING_MS = 250; // after a key, before the search

/** @returns {any} */
const byId = (/** @type {string} */ id) => document.getElementById(id);

export class List {
  #shown = "";
  #cursor = "";
  #asked = 0;
  #search = "";
  #listed = ""; // the search whose results are shown
  #typing = 0;

  /** @param {{ onDeleted: (id: string) => void, onTitle: (id: string, title: string) => void }} listener */
  constructor({ onDeleted, onTitle }) {
    this.onDeleted = onDeleted;
    this.onTitle = onTitle;
    byId("more-conversations").addEventListener("click", () => this.#load(this.#listed === this.#search ? this.#cursor : ""));
    const box = byId("search");
    box.addEventListener("input", () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#find(box.value.trim()), box.value ? TYPING_MS : 0);
    });
    box.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape" || isComposing(event) || !box.value) return;
      event.stopPropagation(); // it does not stop a reply, too
      box.value = "";
      box.dispatchEvent(new Event("input"));
    });
  }

  /** Mark the open conversation. */
  show(/** @type {string} */ id) {
    this.#shown = id;
    for (const link of byId("conversations").querySelectorAll("a")) this.#mark(link);
  }

  /** Open the conversation that is so many places below the open one. */
  step(/** @type {number} */ by) {
    const links = [...byId("conversations").querySelectorAll("a")];
    const place = links.findIndex((link) => link.ariaCurrent);
    const next = links[place < 0 ? Math.min(0, by) : place + by];
    next?.scrollIntoView({ block: "nearest" });
    next?.click();
  }

  /** Show another title of a conversation. */
  rename(/** @type {string} */ id, /** @type {string} */ title) {
    const item = this.#itemOf(id);
    this.#change(() => item?.replaceWith(this.#item({ conversation_id: id, title, updated_at: item.dataset.updatedAt })));
    this.#nameDays();
  }

  /** A conversation was deleted. */
  remove(/** @type {string} */ id) {
    this.#change(() => this.#itemOf(id)?.remove());
    this.#nameDays();
  }

  /** @returns {HTMLElement | null} */
  #itemOf(id) {
    return byId("conversations").querySelector(`li[data-id="${CSS.escape(id)}"]`);
  }

  /** Reload the first page. */
  refresh() {
    return this.#load("");
  }

  /** List the conversations with these words, or all. */
  async #find(words) {
    if (words === this.#search && words === this.#listed) return; // otherwise it is on its way, or has failed
    this.#search = words;
    await this.#load("");
  }

  async #load(cursor) {
    const search = this.#search;
    const asked = cursor ? this.#asked : (this.#asked += 1);
    const told = byId("list-problem");
    /** @type {Element | null} */
    let first = null; // of those that are listed newly after others
    try {
      const page = await withKey(() => conversations(cursor, search));
      if (cursor ? search !== this.#listed || search !== this.#search : asked !== this.#asked) return; // superseded
      if (cursor) first = this.#extend(page);
      else this.#change(() => this.#renew(page));
      this.#nameDays();
      const shown = page.conversations.find(({ conversation_id: id }) => id === this.#shown);
      if (shown) this.onTitle(this.#shown, shown.title);
      told.hidden = true;
    } catch (error) {
      if (asked !== this.#asked) return;
      told.textContent = t("list.failed", { why: error.message });
      told.hidden = false;
    }
    const isEmpty = told.hidden && !byId("conversations").firstChild;
    byId("no-conversations").hidden = !isEmpty || Boolean(this.#search);
    byId("nothing-found").hidden = !isEmpty || !this.#search;
    keepFocus(
      () => {
        byId("delete-all").hidden = !byId("conversations").firstChild && !this.#search;
        byId("more-conversations").hidden = !this.#cursor;
      },
      () => (first ?? byId("conversations").lastElementChild)?.querySelector("a") ?? byId("new"),
    );
  }

  /** Change the items. If the one with the focus is gone, the one that has its place gets it, or what is above the list. */
  #change(/** @type {() => void} */ doIt) {
    const shown = byId("conversations");
    const focused = document.activeElement;
    const item = /** @type {HTMLElement | null} */ (focused?.closest("#conversations > li"));
    if (!item) return doIt();
    const { id } = item.dataset;
    const place = [...shown.children].indexOf(item);
    keepFocus(doIt, () => {
      const same = this.#itemOf(id)?.querySelector(focused.localName);
      const other = shown.children[Math.min(place, shown.children.length - 1)]?.querySelector("a");
      return same ?? other ?? byId(this.#search ? "search" : "new");
    });
  }

  /** Returns the first of the new items. */
  #extend(page) {
    const shown = byId("conversations");
    const known = new Set([...shown.children].map((item) => item.dataset.id));
    const isNew = ({ conversation_id: id }) => !known.has(id);
    this.#cursor = page.next_cursor ?? "";
    const items = page.conversations.filter(isNew).map((summary) => this.#item(summary));
    shown.append(...items);
    return items[0] ?? null;
  }

  /** Show a new first page, and keep what was shown after it. */
  #renew(page) {
    const shown = byId("conversations");
    if (this.#listed !== this.#search) shown.replaceChildren(); // nothing of another search is kept
    this.#listed = this.#search;
    const ids = new Set(page.conversations.map((summary) => summary.conversation_id));
    const last = page.conversations.at(-1)?.updated_at;
    const isOlder = (item) => !ids.has(item.dataset.id) && item.dataset.updatedAt < last;
    const older = page.next_cursor ? [...shown.children].filter(isOlder) : [];
    if (!older.length) this.#cursor = page.next_cursor ?? "";
    shown.replaceChildren(...page.conversations.map((summary) => this.#item(summary)), ...older);
  }

  /** Name the day, or the month, above the first conversation of each; not for what was found, in no such order. */
  #nameDays() {
    let last = "";
    for (const item of byId("conversations").children) {
      const date = new Date(item.dataset.updatedAt);
      const name = this.#listed ? "" : dayName(date, MONTH);
      item.querySelector(".day")?.remove();
      if (name !== last) item.prepend(dayHeading(date, name));
      last = name;
    }
  }

  #item({ conversation_id: id, title, updated_at: updatedAt, excerpt = null }) {
    const link = document.createElement("a");
    link.href = `#${id}`;
    const name = document.createElement("bdi");
    const isTitle = excerpt?.text === line(title);
    name.append(...(isTitle ? marked(excerpt) : [line(title)]));
    name.title = isolated(title); // not of the link, which has the same text: it would be read twice
    link.append(name);
    if (excerpt && !isTitle) link.append(found(excerpt));
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
    remove.addEventListener("click", () => this.delete(id, title));
    const item = document.createElement("li");
    Object.assign(item.dataset, { id, updatedAt });
    item.append(link, remove);
    return item;
  }

  #mark(link) {
    if (link.hash === `#${this.#shown}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }

  /** Delete a conversation, if the user confirms it. */
  async delete(id, title) {
    if (!(await askToDelete(title))) return;
    try {
      await withKey(() => deleteConversation(id));
    } catch (error) {
      if (!(error instanceof Problem && error.status === 404)) {
        notify(t("delete.failed", { title: isolated(title), why: error.message })); // the list may be hidden
        return;
      }
    }
    this.remove(id);
    this.onDeleted(id);
    await this.refresh();
  }
}

function when(date) {
  const isToday = date.toDateString() === new Date().toDateString();
  return date.toLocaleString(locale, isToday ? { timeStyle: "short" } : { dateStyle: "medium" });
}
