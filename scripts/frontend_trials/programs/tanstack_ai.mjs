// TanStack AI's chat client, which its hooks are made of, with its connection for AG-UI.
import { ChatClient, fetchServerSentEvents } from "@tanstack/ai-client";

const [baseURL, trial] = process.argv.slice(2);
const messages = {
  stream: "Hello  there,\n\nmy \u2028 world! \u65e5\u672c [DONE]",
  early: "/simulate status=503\n",
  late: "/simulate fail_after=2 pace_ms=20\none two three",
  lost: "/simulate pace_ms=20\none two three four five six",
  stop: "/simulate pace_ms=20 repeat=1000\none two three ",
};
const client = new ChatClient({ connection: fetchServerSentEvents(`${baseURL}/ag-ui`) });
const text = () => {
  const last = client.getMessages().at(-1);
  return last?.role === "assistant" ? last.parts.map((part) => part.content ?? "").join("") : "";
};
const sent = client.sendMessage(messages[trial]).catch(() => {});
if (trial === "stop") {
  while (!text()) await new Promise((done) => setTimeout(done, 20));
  client.stop();
  await new Promise((done) => setTimeout(done, 3000));
}
await sent;
console.log(JSON.stringify({ text: text(), error: client.getError()?.constructor.name ?? "" }));
process.exit(0);
