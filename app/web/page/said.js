// A message of the user, which can be edited where it stands. To send it edited is the wish "edit",
// to leave it as it is the wish "leave".
import { Switcher } from "./branches.js";
import { excess, fit, isComposing } from "./composer.js";
import { iconButton, make, wish } from "./elements.js";
import { t } from "./language.js";

export class UserTurn {
  /** The id of a reply to it, known as soon as there is one. */
  replyId = "";
  branches = new Switcher();
  #said = make("div", "said");
  #foot = make("div", "foot");
  #pen = iconButton("edit", t("edit.message"));

  /** `at`: when it was sent, as the API has it. */
  constructor(/** @type {string} */ text, at = new Date().toISOString()) {
    this.text = text;
    this.element = make("article", "message user");
    this.element.dataset.at = at;
    this.element.setAttribute("aria-label", t("said"));
    this.#said.textContent = text;
    this.#said.dir = "auto";
    this.#foot.append(this.#pen, this.branches.element);
    this.element.append(this.#said, this.#foot);
    this.#pen.addEventListener("click", () => this.#edit());
  }

  #edit() {
    if (!this.replyId) return; // it has not arrived yet
    const form = make("form", "editing");
    const box = make("textarea");
    const told = make("p", "bad");
    const [cancel, send] = [t("cancel"), t("send")].map((label) => Object.assign(make("button"), { textContent: label }));
    Object.assign(box, { value: this.text, dir: "auto", rows: 1 });
    box.setAttribute("aria-label", t("edit.box"));
    told.setAttribute("role", "alert");
    cancel.type = "button";
    send.className = "primary";
    const bar = make("div", "bar end");
    bar.append(cancel, send);
    form.append(box, told, bar);
    const end = () => {
      form.replaceWith(this.#said, this.#foot);
      this.#pen.focus();
      wish(this.element, "leave", this);
    };
    cancel.addEventListener("click", end);
    box.addEventListener("input", () => {
      fit(box);
      told.textContent = excess(box.value);
      send.disabled = Boolean(told.textContent) || !box.value.trim();
    });
    form.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (isComposing(event)) return;
      if (event.key === "Escape") {
        event.stopPropagation(); // it does not stop a reply, too
        end();
      } else if (event.key === "Enter" && !event.shiftKey && event.target === box) {
        if (matchMedia("(pointer: coarse)").matches) return;
        event.preventDefault();
        if (!send.disabled) form.requestSubmit();
      }
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!wish(this.element, "edit", { turn: this, text: box.value })) told.textContent = t("problem.conversation-busy.do");
    });
    this.#said.remove();
    this.#foot.replaceWith(form);
    fit(box);
    box.focus();
  }
}
