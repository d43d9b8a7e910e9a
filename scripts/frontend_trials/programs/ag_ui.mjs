// AG-UI's own client.
import { HttpAgent } from "@ag-ui/client";

const [baseURL, trial, message] = process.argv.slice(2);
const agent = new HttpAgent({ url: `${baseURL}/ag-ui` });
agent.addMessage({ id: crypto.randomUUID(), role: "user", content: message });
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
