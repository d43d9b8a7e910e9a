// Asks the service, and yields the words of its reply as they come: across lost connections.
// `chat` is an object of the page's: what is asked next with the same one continues the same conversation.

const SERVICE = "http://127.0.0.1:8000";
const KEY = ""; // a key of the service, if it requires one

const TRIES = 5; // in a row, a second apart

const headers = { "Content-Type": "application/json", ...(KEY && { Authorization: `Bearer ${KEY}` }) };

export async function* ask(message, chat) {
  const body = JSON.stringify({ user_message: message, conversation_id: chat.conversation });
  Object.assign(chat, { reply: undefined, isStopped: false });
  const again = { "Idempotency-Key": crypto.randomUUID() }; // a repetition gets the same reply
  for (let tries = 0; ; tries += 1) {
    try {
      const response = await fetch(`${SERVICE}/api/chat`, { method: "POST", headers: { ...headers, ...again }, body });
      if ([502, 503, 504].includes(response.status) && tries < TRIES) throw new TypeError("not now");
      if (!response.ok) {
        const { detail, errors } = await response.json().catch(() => ({ detail: `status ${response.status}` }));
        throw new Error(errors?.[0].detail ?? detail);
      }
      chat.conversation = response.headers.get("Conversation-Id");
      chat.reply = response.headers.get("Reply-Id");
      if (chat.isStopped) stop(chat);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = "", chunk; !(chunk = await reader.read()).done; ) {
        const events = (rest + chunk.value).split("\n\n");
        rest = events.pop(); // the next chunk has more of this event
        for (const event of events) {
          const fields = event.split("\n").map((line) => line.match(/^(\w+): ?(.*)$/s)).filter(Boolean); // else a comment
          const of = (name) => fields.filter(([, field]) => field === name).map(([, , value]) => value);
          const data = of("data").join("\n"); // several lines are one word, with line breaks in it
          if (of("event")[0] === "done") return;
          if (of("event")[0] === "failed") throw new Error(JSON.parse(data).detail);
          if (data) {
            again["Last-Event-ID"] = of("id")[0];
            tries = 0;
            yield data;
          }
        }
      }
      throw new TypeError("the stream ended before its reply"); // some proxies make a lost connection look like an end
    } catch (error) {
      if (!(error instanceof TypeError) || tries >= TRIES) throw error; // fetch throws one if the connection is lost
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

export async function stop(chat) {
  chat.isStopped = true; // before the service has said which reply it is
  if (chat.reply) await fetch(`${SERVICE}/api/replies/${chat.reply}/cancel`, { method: "POST", headers });
}
