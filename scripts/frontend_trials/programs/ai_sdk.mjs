// The AI SDK's chat, which `useChat` makes a hook of.
import { Chat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";

const [baseURL, trial, message] = process.argv.slice(2);
const chat = new Chat({ transport: new DefaultChatTransport({ api: `${baseURL}/chat` }) });
const text = () => {
  const last = chat.messages.at(-1);
  return last?.role === "assistant" ? last.parts.map((part) => part.text ?? "").join("") : "";
};
const sent = chat.sendMessage({ text: message });
if (trial === "stop") {
  while (!text()) await new Promise((done) => setTimeout(done, 20));
  await chat.stop();
  await new Promise((done) => setTimeout(done, 3000));
}
await sent;
console.log(JSON.stringify({ text: text(), error: chat.error?.constructor.name ?? "" }));
process.exit(0);
