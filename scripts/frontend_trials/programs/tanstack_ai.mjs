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
const loaded = () => {
  const client = new ChatClient({ threadId: "trial", connection, persistence });
  client.attach();
  return client;
};
const text = () => {
  const last = client.getMessages().at(-1);
  return last?.role === "assistant" ? last.parts.map((part) => part.content ?? "").join("") : "";
};
const until = async (holds) => {
  while (!holds()) await new Promise((done) => setTimeout(done, 20));
};
let client = loaded();
let sent = client.sendMessage(message).catch(() => {});
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
  sent = until(() => !client.getIsLoading());
}
await sent;
console.log(JSON.stringify({ text: text(), error: client.getError()?.constructor.name ?? "" }));
process.exit(0);
