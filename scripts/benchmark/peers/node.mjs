// Node's own http server, no framework: `node node.mjs PORT`. Does what echo.py and bare.py do.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const PACE = /^\/simulate pace_ms=(\d+)\n/;
const EVENT_STREAM = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store" };

async function reply(message, response) {
  const directive = PACE.exec(message);
  const pace = directive ? Number(directive[1]) : 0;
  const text = directive ? message.slice(directive[0].length) : message;
  const replyId = randomBytes(16).toString("hex");
  response.writeHead(200, EVENT_STREAM);
  let n = 0;
  for (const word of text.match(/[^ ]+ */g) ?? []) {
    if (pace && n) await sleep(pace);
    n += 1;
    if (!response.write(`data: ${word}\nid: ${replyId}:${n}\n\n`)) await once(response, "drain");
    if (response.destroyed) return;
  }
  const done = JSON.stringify({ reply_id: replyId, text, finish_reason: "stop" });
  response.end(`event: done\ndata: ${done}\n\n`);
}

function messageIn(body) {
  try {
    const message = JSON.parse(body)?.user_message;
    return typeof message === "string" && message ? message : undefined;
  } catch {
    return undefined;
  }
}

const server = createServer((request, response) => {
  if (request.method !== "POST" || request.url !== "/api/chat") return response.writeHead(404, { "content-length": 0 }).end();
  let body = "";
  request.setEncoding("utf8");
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    const message = messageIn(body);
    if (message === undefined) return response.writeHead(422).end();
    reply(message, response).catch((error) => response.destroy(error));
  });
});

server.listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 2048 });
