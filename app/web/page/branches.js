// The branches that begin at a message, as "‹ 2/3 ›". To choose one is the wish "choose", with the id of a reply on it.
import { iconButton, make, wish } from "./elements.js";
import { locale, t } from "./language.js";

/** As the contract has them. @typedef {{ index: number, reply_ids: string[] }} Branches */

export class Switcher {
  #place = make("span");
  #back = iconButton("back", t("branch.previous"));
  #on = iconButton("on", t("branch.next"));
  /** @type {Branches} */
  #branches = { index: 0, reply_ids: [] };

  constructor() {
    this.element = make("div", "branches");
    this.element.setAttribute("role", "group");
    this.element.append(this.#back, this.#place, this.#on);
    this.#back.addEventListener("click", () => this.#choose(-1));
    this.#on.addEventListener("click", () => this.#choose(1));
    this.show(undefined);
  }

  /** The ids of the branches, none if there is only one. */
  get ids() {
    return this.#branches.reply_ids;
  }

  get shown() {
    return this.#branches;
  }

  show(/** @type {Branches | undefined} */ branches) {
    this.#branches = branches ?? { index: 0, reply_ids: [] };
    const { index, reply_ids: ids } = this.#branches;
    this.element.hidden = !ids.length;
    this.element.dataset.branches = ids.join(" ");
    const [number, count] = [index + 1, ids.length].map((value) => value.toLocaleString(locale));
    this.#place.textContent = ids.length ? `${number}/${count}` : "";
    this.element.setAttribute("aria-label", t("branch.place", { number, count }));
    this.#back.disabled = index === 0;
    this.#on.disabled = index + 1 >= ids.length;
  }

  #choose(step) {
    wish(this.element, "choose", { replyId: this.ids[this.#branches.index + step], step });
  }
}

/**
 * The switcher among the branches of which one has this reply, at the user's message or at the reply itself.
 * @returns {HTMLElement | null}
 */
export const switcherOf = (/** @type {Element} */ log, /** @type {string} */ replyId, /** @type {string} */ author) =>
  log.querySelector(`.${author} .branches[data-branches~="${CSS.escape(replyId)}"]`);

/** Focus the button that was pressed to get here, or the other one if it leads no further. */
export function focusStep(/** @type {Element} */ switcher, /** @type {number} */ step) {
  const buttons = [...switcher.querySelectorAll("button")];
  const pressed = step < 0 ? buttons[0] : buttons[1];
  (pressed.disabled ? buttons.find((one) => !one.disabled) : pressed)?.focus({ preventScroll: true });
}
