// The frame around a conversation: scrolling, buttons, and announcements for screen readers.
import { key } from "./client.js";
import { nameDays } from "./days.js";
import { keepFocus } from "./focus.js";
import { isolated, line, t } from "./language.js";
import { copyText } from "./copying.js";

const NEAR_END_PIXELS = 60;
const FRAMES_UNTIL_DRAWN = 5; // heights are estimates until then
const NOTICE_MS = 10_000;

/** @returns {any} */
const byId = (/** @type {string} */ id) => document.getElementById(id);
const [log, scroller, message, sidebar] = ["log", "scroller", "message", "sidebar"].map(byId);

let follows = true; // whether the view sticks to the end of the conversation
let lastTop = 0;
let serviceName = t("page");

/** Go to the end, and stay there until the user scrolls up. */
export function goToEnd() {
  follows = true;
  keepEndInSight();
}

export function keepEndInSight() {
  if (follows) {
    scroller.scrollTop = scroller.scrollHeight;
    lastTop = scroller.scrollTop;
  }
  offerLatest();
}

function offerLatest() {
  const isHidden = follows || pixelsToEnd() < NEAR_END_PIXELS;
  if (byId("latest").hidden !== isHidden) keepFocus(() => (byId("latest").hidden = isHidden));
}

const pixelsToEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;

/** Prepend earlier messages without moving what is in view. */
export function putBefore(/** @type {HTMLElement[]} */ turns) {
  const first = log.querySelector(".message");
  const place = first?.getBoundingClientRect().top;
  log.setAttribute("aria-busy", "true"); // not to be announced as new
  scroller.style.overflowAnchor = "none"; // otherwise the browser would scroll, too
  for (const turn of turns) turn.classList.add("new"); // with its real height, which the browser then remembers
  log.prepend(...turns);
  nameDays(log);
  if (follows) keepEndInSight();
  else if (first) lastTop = scroller.scrollTop += first.getBoundingClientRect().top - place;
  const restore = () => {
    scroller.style.overflowAnchor = "";
    log.removeAttribute("aria-busy");
    for (const turn of turns) turn.classList.remove("new");
  };
  requestAnimationFrame(() => requestAnimationFrame(restore)); // the first one is called before they are drawn
}

/** Put an element where another one was, this far from the top of the window, while what is around it is first drawn. */
export async function holdAt(/** @type {number} */ top, /** @type {Element} */ element) {
  for (let frame = 0; frame < FRAMES_UNTIL_DRAWN; frame += 1) {
    follows = false;
    lastTop = scroller.scrollTop += element.getBoundingClientRect().top - top;
    await new Promise(requestAnimationFrame);
  }
}

/** Show which conversation is open, in the title and in the URL, so that a reload finds it. */
export function showName({ id, title }, /** @type {"pushState" | "replaceState"} */ how = "pushState") {
  byId("title").textContent = line(title);
  byId("welcome").hidden = Boolean(id);
  document.title = id ? t("page.named", { title: isolated(title), name: serviceName }) : serviceName;
  if (!id) byId("menu").hidePopover();
  byId("more").hidden = !id;
  const hash = id && `#${id}`;
  if (location.hash !== hash) history[how](null, "", hash || location.pathname + location.search);
}

/** What the operator calls the service. */
export function nameService(/** @type {string} */ name) {
  if (document.title.endsWith(serviceName)) document.title = document.title.slice(0, -serviceName.length) + name;
  serviceName = name;
}

let noticed = 0;

/** Tell of something that went wrong, for a while. */
export function notify(/** @type {string} */ text) {
  byId("notice").textContent = text;
  byId("notice").hidden = false;
  clearTimeout(noticed);
  noticed = setTimeout(() => (byId("notice").hidden = true), NOTICE_MS);
}

export function showRunning(isRunning) {
  keepFocus(() => {
    byId("send").hidden = isRunning;
    byId("stop").hidden = !isRunning;
    byId("forget-key").hidden = !key.get();
  });
}

/** On narrow screens, the list covers the conversation. Returns whether it did. */
export function closeSidebar() {
  const wasOpen = sidebar.classList.contains("open");
  if (wasOpen) toggleSidebar(false);
  return wasOpen;
}

/** Show the list, if it is covered. */
export function openSidebar() {
  if (byId("open-sidebar").checkVisibility() && !sidebar.classList.contains("open")) toggleSidebar(true);
}

function toggleSidebar(isOpen) {
  sidebar.classList.toggle("open", isOpen);
  byId("backdrop").hidden = !isOpen;
  byId("open-sidebar").setAttribute("aria-expanded", String(isOpen));
  (isOpen ? byId("close-sidebar") : byId("open-sidebar")).focus();
}

byId("open-sidebar").addEventListener("click", () => toggleSidebar(true));
byId("close-sidebar").addEventListener("click", closeSidebar);
byId("backdrop").addEventListener("click", closeSidebar);
byId("conversations").addEventListener("click", (event) => event.target.closest("a") && closeSidebar());

scroller.addEventListener("scroll", () => {
  const top = scroller.scrollTop;
  if (top < lastTop) follows &&= pixelsToEnd() <= 1; // at the end: the content shrank, the user did not scroll
  else if (top > lastTop && pixelsToEnd() < NEAR_END_PIXELS) follows = true;
  lastTop = top;
  offerLatest();
});
// Smooth scrolling moves in small steps, and is interrupted when scrollTop is set: so the intent to scroll up counts, too.
scroller.addEventListener("wheel", ({ deltaY, ctrlKey }) => deltaY < 0 && !ctrlKey && letGo(), { passive: true });
scroller.addEventListener("keydown", ({ key, shiftKey }) => {
  if (["ArrowUp", "PageUp", "Home"].includes(key) || (key === " " && shiftKey)) letGo();
});

function letGo() {
  if (scroller.scrollTop > 0) follows = false;
}

byId("latest").addEventListener("click", () => {
  goToEnd();
  message.focus();
});
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the URL's hash is reserved for the conversation
  message.focus();
});
new MutationObserver(() => nameDays(log)).observe(log, { childList: true });
new ResizeObserver(keepEndInSight).observe(scroller);

log.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copies=code]");
  if (button) void copyText(button, button.parentElement.querySelector("code").textContent);
});
