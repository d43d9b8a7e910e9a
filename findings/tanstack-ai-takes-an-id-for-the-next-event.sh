#!/bin/sh
# TanStack AI's client gives an event's id to the event after it, unless the id comes before the data.
#
# Version:  @tanstack/ai-client 0.33.2 (npm)
# Expected: the fields of a server-sent event may come in any order: its id counts when the event ends, with an empty line.
# Seen:     `fetchServerSentEvents` reads line by line. With `data:` before `id:`, it has the id when the next `data:` comes.
#           So after a cut it asks for what follows the event before the last one, and shows the last one twice.
# Matters:  to servers of AG-UI that let runs be resumed. Many write `id:` last, since other clients (see
#           fetch-event-source-skips-an-event.sh) skip an event if it comes first and the connection ends after it.
# Needs:    Node 20 or later with npm
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund @tanstack/ai-client@0.33.2
cat >find.mjs <<'JS'
import { createServer } from 'node:http'
import { ChatClient, fetchServerSentEvents } from '@tanstack/ai-client'

const ids = { threadId: 't', runId: 'r' }
const events = [
  { type: 'RUN_STARTED', ...ids },
  { type: 'TEXT_MESSAGE_START', messageId: 'm', role: 'assistant' },
  { type: 'TEXT_MESSAGE_CONTENT', messageId: 'm', delta: 'one ' },
  { type: 'TEXT_MESSAGE_CONTENT', messageId: 'm', delta: 'two ' },
  { type: 'TEXT_MESSAGE_CONTENT', messageId: 'm', delta: 'three ' },
  { type: 'TEXT_MESSAGE_END', messageId: 'm' },
  { type: 'RUN_FINISHED', ...ids },
]
let asked = []
const server = createServer((request, response) => {
  const last = request.headers['last-event-id']
  asked.push(last ?? '-')
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  const rest = events.map((event, n) => [n, event]).slice(last === undefined ? 0 : Number(last) + 1)
  for (const [n, event] of last === undefined ? rest.slice(0, 4) : rest) {
    const fields = [`id: ${n}`, `data: ${JSON.stringify(event)}`]
    response.write(`${(request.url === '/last' ? fields.reverse() : fields).join('\n')}\n\n`)
  }
  if (last === undefined) setTimeout(() => response.destroy(), 200)
  else response.end()
})
await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
for (const place of ['first', 'last']) {
  asked = []
  const client = new ChatClient({ connection: fetchServerSentEvents(`http://127.0.0.1:${server.address().port}/${place}`) })
  await client.sendMessage('hello')
  const said = client.getMessages().at(-1).parts.map((part) => part.content).join('')
  console.log(`id ${place}: asked after ${asked.join(', ')}; shows ${said}`)
}
process.exit(0)
JS
said=$(timeout 60 node find.mjs) || true
echo "$said"
wanted='id first: asked after -, 3; shows one two three 
id last: asked after -, 2; shows one two two three '
if [ "$said" = "$wanted" ]; then echo 'As described: the id is taken for the next event.'; else echo 'This has changed.'; exit 1; fi
