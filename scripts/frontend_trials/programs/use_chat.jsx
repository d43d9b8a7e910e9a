// A page with the AI SDK's hook. What it has received is in `window.said`.
import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";
import { useEffect, useRef } from "react";
import { createRoot } from "react-dom/client";

const { api, id, message, leaves, resume } = window.trial;
const transport = new DefaultChatTransport({ api });
const textOf = (last) => (last?.role === "assistant" ? last.parts.map((part) => part.text ?? "").join("") : "");

function Page() {
  const { messages, sendMessage, status, stop, error } = useChat({ id, transport, resume });
  const text = textOf(messages.at(-1));
  const has_begun = useRef(false);

  useEffect(() => {
    if (message && !has_begun.current) sendMessage({ text: message });
    has_begun.current = true;
  }, []);
  useEffect(() => {
    if (leaves && text) stop();
  }, [text]);
  useEffect(() => {
    window.said = { text, error: error?.constructor.name ?? "", is_over: status === "ready" || status === "error" };
  });
  return <p>{text}</p>;
}

createRoot(document.body.appendChild(document.createElement("main"))).render(<Page />);
