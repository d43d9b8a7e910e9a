#!/bin/sh
# AG-UI's own client takes a run that ends with RUN_ERROR for done: `runAgent()` resolves.
#
# Version:  @ag-ui/client 1.0.0 (npm)
# Expected: the promise of a run that has failed is rejected, as it is if the server answers with a status that is no
#           success, or if a stream breaks the protocol.
# Seen:     after RUN_ERROR it resolves, with the messages so far. Only the subscriber's `onRunErrorEvent` is told.
# Matters:  to whoever awaits a run in try and catch: a reply that failed in the middle is shown, and sent back with the
#           next run, as if it were whole.
# Needs:    Node 20 or later with npm
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund @ag-ui/client@1.0.0
cat >find.mjs <<'JS'
import { createServer } from 'node:http'
import { HttpAgent } from '@ag-ui/client'

console.error = () => {}
const server = createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  const { threadId, runId } = JSON.parse(body)
  if (request.url === '/status') return response.writeHead(503).end()
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  for (const event of [
    { type: 'RUN_STARTED', threadId, runId },
    { type: 'TEXT_MESSAGE_START', messageId: 'm', role: 'assistant' },
    { type: 'TEXT_MESSAGE_CONTENT', messageId: 'm', delta: 'Half of' },
    { type: 'RUN_ERROR', message: 'The model is gone.', code: 'gone' },
  ]) response.write(`data: ${JSON.stringify(event)}\n\n`)
  response.end()
})
await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
for (const path of ['status', 'event']) {
  const agent = new HttpAgent({ url: `http://127.0.0.1:${server.address().port}/${path}` })
  const told = []
  try {
    const { newMessages } = await agent.runAgent({}, { onRunErrorEvent: ({ event }) => void told.push(event.code) })
    console.log(`${path}: resolved, "${newMessages[0].content}", subscriber told: ${told}`)
  } catch {
    console.log(`${path}: rejected`)
  }
}
process.exit(0)
JS
said=$(timeout 60 node find.mjs) || true
echo "$said"
wanted='status: rejected
event: resolved, "Half of", subscriber told: gone'
if [ "$said" = "$wanted" ]; then echo 'As described: a failed run resolves.'; else echo 'This has changed.'; exit 1; fi
