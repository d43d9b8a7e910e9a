// Where titles come from: with some services, the bot names a conversation soon after its first reply.
import { list, log, open } from "./open.js";

/** When to look, after the end of the reply before or the last look. */
const PAUSES_MS = [1_500, 3_000, 6_000, 12_000, 24_000];

let isBots = false;

/** What the service says of its titles. */
export function titlesAreFrom(/** @type {string | undefined} */ source) {
  isBots = source === "bot";
}

/** Show the bot's title once it is there, if the first reply of the conversation has ended. */
export async function lookForTitle(/** @type {typeof open} */ here) {
  if (!isBots || log.querySelectorAll(".reply").length > 1) return;
  await list.refresh();
  const before = here.title;
  for (const ms of PAUSES_MS) {
    await new Promise((resolve) => setTimeout(resolve, ms));
    if (here !== open || here.title !== before) return;
    await list.refresh();
  }
}
