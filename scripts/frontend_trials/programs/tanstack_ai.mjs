// TanStack AI's chat client, which its hooks are made of, with its connection for AG-UI and a storage as of a browser.
import { ChatClient, fetchServerSentEvents } from "@tanstack/ai-client";

const [baseURL, trial, message] = process.argv.slice(2);
const connection = fetchServerSentEvents(`${baseURL}/ag-ui`);
let stored = {};
const persistence = {
  getItem: (id) => JSON.parse(stored[id] ?? "null"),
  setItem: (id, state) => void (stored[id] = JSON.stringify(state)),
  removeItem: (id) => void delete stored[id],
};
// docs/frontends.md has this for another device, which has nothing but the thread's id.
const hydrate = async (threadId) => {
  const answer = await fetch(`${baseURL}/conversations/${threadId}?limit=100&order=desc`);
  const messages = answer.ok ? (await answer.json()).messages.reverse() : [];
  const running = messages.find((message) => message.state === "running");
  return {
    messages: messages.map(({ role, text, created_at, reply_id }) => ({
      id: reply_id ?? crypto.randomUUID(),
      role,
      parts: [{ type: "text", content: text }],
      createdAt: new Date(created_at),
    })),
    activeRun: running ? { runId: running.reply_id } : null,
    interrupts: null,
  };
};
const loaded = (options) => {
  const client = new ChatClient({ threadId: "trial", connection, persistence, ...options });
  client.attach();
  return client;
};
const textOf = (client) => {
  const last = client.getMessages().at(-1);
  return last?.role === "assistant" ? last.parts.map((part) => part.content ?? "").join("") : "";
};
const until = async (holds) => {
  while (!holds()) await new Promise((done) => setTimeout(done, 20));
};
let client = loaded();
const text = () => textOf(client);
const sent = client.sendMessage(message).catch(() => {});
if (trial === "stop") {
  await until(text);
  client.stop();
  await new Promise((done) => setTimeout(done, 3000));
}
if (trial === "back") {
  await until(() => text().includes("two"));
  const kept = { ...stored }; // as the page leaves it: what its client does at its end is not stored
  client.stop();
  await sent;
  stored = kept;
  client = loaded();
  const elsewhere = loaded({ connection: { ...connection, hydrate }, persistence: true });
  await until(() => textOf(elsewhere) && client.getMessages().length === elsewhere.getMessages().length);
  await until(() => !client.getIsLoading() && !elsewhere.getIsLoading());
  if (textOf(elsewhere) !== text() || elsewhere.getError()) throw new Error(`elsewhere: ${textOf(elsewhere)}`);
}
await sent;
console.log(JSON.stringify({ text: text(), error: client.getError()?.constructor.name ?? "" }));
process.exit(0);
