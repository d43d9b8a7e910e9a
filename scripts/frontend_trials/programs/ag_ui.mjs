// AG-UI's own client.
import { HttpAgent } from "@ag-ui/client";

const [baseURL, trial] = process.argv.slice(2);
const messages = {
  stream: "Hello  there,\n\nmy \u2028 world! \u65e5\u672c [DONE]",
  early: "/simulate status=503\n",
  late: "/simulate fail_after=2 pace_ms=20\none two three",
  lost: "/simulate pace_ms=20\none two three four five six",
  stop: "/simulate pace_ms=20 repeat=1000\none two three ",
};
const agent = new HttpAgent({ url: `${baseURL}/ag-ui` });
agent.addMessage({ id: crypto.randomUUID(), role: "user", content: messages[trial] });
const text = () => {
  const last = agent.messages.at(-1);
  return last.role === "assistant" ? last.content : "";
};
let error = "";
const run = agent
  .runAgent({}, { onRunErrorEvent: ({ event }) => void (error = event.type) })
  .catch((thrown) => (error = thrown.constructor.name));
if (trial === "stop") {
  while (!text()) await new Promise((done) => setTimeout(done, 20));
  agent.abortRun();
  await new Promise((done) => setTimeout(done, 3000));
}
await run;
console.log(JSON.stringify({ text: text(), error }));
process.exit(0);
