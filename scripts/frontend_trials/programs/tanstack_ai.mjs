// TanStack AI's chat client, which its hooks are made of, with its connection for AG-UI.
import { ChatClient, fetchServerSentEvents } from "@tanstack/ai-client";

const [baseURL, trial, message] = process.argv.slice(2);
const client = new ChatClient({ connection: fetchServerSentEvents(`${baseURL}/ag-ui`) });
const text = () => {
  const last = client.getMessages().at(-1);
  return last?.role === "assistant" ? last.parts.map((part) => part.content ?? "").join("") : "";
};
const sent = client.sendMessage(message).catch(() => {});
if (trial === "stop") {
  while (!text()) await new Promise((done) => setTimeout(done, 20));
  client.stop();
  await new Promise((done) => setTimeout(done, 3000));
}
await sent;
console.log(JSON.stringify({ text: text(), error: client.getError()?.constructor.name ?? "" }));
process.exit(0);
