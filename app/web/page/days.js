// Days as people call them, above what belongs to each: "Today", "Yesterday", or the date, in the page's language.
import { make } from "./elements.js";
import { locale } from "./language.js";

const DAY_MS = 86_400_000;
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });

/** The name of the day of a date; of one before yesterday, its date in this form. */
export function dayName(/** @type {Date} */ date, /** @type {Intl.DateTimeFormatOptions} */ form, now = new Date()) {
  const daysAgo = Math.max(0, Math.round((midnight(now) - midnight(date)) / DAY_MS)); // the server's clock may be ahead
  const name = daysAgo > 1 ? date.toLocaleDateString(locale, form) : relative.format(daysAgo && -1, "day");
  return name.replace(/^\p{Ll}/u, (letter) => letter.toLocaleUpperCase(locale));
}

/** Of the user's messages in a conversation, name the day of each that is the first one of its day. */
export function nameDays(/** @type {Element} */ log) {
  for (const heading of log.querySelectorAll(":scope > .day:not(:has(+ .user))")) heading.remove(); // its message is gone
  let last = "";
  for (const message of /** @type {NodeListOf<HTMLElement>} */ (log.querySelectorAll(":scope > .user"))) {
    const date = new Date(message.dataset.at);
    const day = date.toDateString();
    const heading = message.previousElementSibling?.matches(".day") ? message.previousElementSibling : null;
    if (day === last) heading?.remove();
    else if (heading) heading.textContent = longName(date);
    else message.before(dayHeading(date, longName(date)));
    last = day;
  }
}

/** What is shown above a day. */
export const dayHeading = (/** @type {Date} */ date, /** @type {string} */ name) =>
  Object.assign(make("time", "day"), { dateTime: date.toISOString(), textContent: name });

/** The year only if it is not this one. */
function longName(/** @type {Date} */ date) {
  const isThisYear = date.getFullYear() === new Date().getFullYear();
  return dayName(date, { weekday: "long", day: "numeric", month: "long", ...(!isThisYear && { year: "numeric" }) });
}

const midnight = (/** @type {Date} */ date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
