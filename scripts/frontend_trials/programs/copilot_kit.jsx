// A page with CopilotKit's chat, whose runtime is on the same site. What it has received is in `window.said`.
import { CopilotKit } from "@copilotkit/react-core";
import { CopilotChat, useAgent } from "@copilotkit/react-core/v2";
import { useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";

const { id, message, leaves } = window.trial;
const CONNECTED_MS = 2000;
const shown = (name) => document.querySelector(`[data-testid="copilot-${name}"]`);
const press = () => shown("send-button").click(); // it sends, and stops what is running

function type(text) {
  const box = shown("chat-textarea");
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(box, text);
  box.dispatchEvent(new Event("input", { bubbles: true }));
}

function Seen({ error }) {
  const { agent } = useAgent({ agentId: "default" });
  const last = agent.messages.at(-1);
  const text = (last?.role === "assistant" && last.content) || "";
  const has_left = useRef(false);

  useEffect(() => {
    if (leaves && text && !has_left.current) press();
    has_left.current = Boolean(text);
  }, [text]);
  useEffect(() => {
    window.said = { text, error, is_over: !agent.isRunning };
  });
  return null;
}

function Page() {
  const [error, setError] = useState("");

  useEffect(() => {
    if (!message) return;
    setTimeout(() => type(message), CONNECTED_MS);
    setTimeout(press, CONNECTED_MS + 500);
  }, []);
  return (
    <CopilotKit runtimeUrl="/copilotkit" threadId={id} enableInspector={false}>
      <CopilotChat threadId={id} onError={(event) => setError(event.error.constructor.name)} />
      <Seen error={error} />
    </CopilotKit>
  );
}

createRoot(document.body.appendChild(document.createElement("main"))).render(<Page />);
