// The AI SDK's chat, which `useChat` makes a hook of.
import { Chat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";

const [baseURL, trial] = process.argv.slice(2);
const messages = {
  stream: "Hello  there,\n\nmy \u2028 world! \u65e5\u672c [DONE]",
  early: "/simulate status=503\n",
  late: "/simulate fail_after=2 pace_ms=20\none two three",
  lost: "/simulate pace_ms=20\none two three four five six",
  stop: "/simulate pace_ms=20 repeat=1000\none two three ",
};
const chat = new Chat({ transport: new DefaultChatTransport({ api: `${baseURL}/chat` }) });
const text = () => {
  const last = chat.messages.at(-1);
  return last?.role === "assistant" ? last.parts.map((part) => part.text ?? "").join("") : "";
};
const sent = chat.sendMessage({ text: messages[trial] });
if (trial === "stop") {
  while (!text()) await new Promise((done) => setTimeout(done, 20));
  await chat.stop();
  await new Promise((done) => setTimeout(done, 3000));
}
await sent;
console.log(JSON.stringify({ text: text(), error: chat.error?.constructor.name ?? "" }));
process.exit(0);
