#!/bin/sh
# White space in the server's JSON decides whether assistant-ui believes that a resumable reply is finished.
#
# Version:  @assistant-ui/react-ai-sdk 1.4.12 with @assistant-ui/ai-sdk 0.0.7 (npm)
# Expected: `{"type": "finish"}` and `{"type":"finish"}` are the same JSON; both end the reply.
# Seen:     the transport searches the raw bytes for `"type":"finish"` without a space. Python's json.dumps writes one
#           by default: then the stored stream id stays, and the next visit asks to resume a reply that is finished.
#           With a space: the stream id stays. Without: it is cleared. The text arrives in both cases.
# Matters:  to servers of the AI SDK's message stream that are not written in JavaScript. Pass separators=(",", ":").
# Needs:    Node 20 or later with npm
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund \
  @assistant-ui/react-ai-sdk@1.4.12 ai@7.0.173
cat >find.mjs <<'JS'
import { AssistantChatTransport } from '@assistant-ui/react-ai-sdk'
const parts = [
  { type: 'start', messageId: 'm' }, { type: 'text-start', id: '1' }, { type: 'text-delta', id: '1', delta: 'hello' },
  { type: 'text-end', id: '1' }, { type: 'finish' },
]
async function left(space) {
  const body = parts.map((part) => `data: ${JSON.stringify(part).replaceAll('":', `":${space}`)}\n\n`).join('')
  const stored = new Map()
  const transport = new AssistantChatTransport({
    api: 'http://127.0.0.1/chat',
    fetch: async () => new Response(body, {
      headers: { 'content-type': 'text/event-stream', 'x-resumable-stream-id': 'stream-1' },
    }),
    resumable: {
      resumeApi: 'http://127.0.0.1/resume',
      storage: {
        getStreamId: (thread) => stored.get(thread),
        setStreamId: (id, thread) => stored.set(thread, id),
        clear: (thread) => stored.delete(thread),
      },
    },
  })
  const messages = [{ id: 'u', role: 'user', parts: [{ type: 'text', text: 'Hi' }] }]
  const stream = await transport.sendMessages({ chatId: 'c', trigger: 'submit-message', messages })
  let text = ''
  for await (const part of stream) text += part.delta ?? ''
  return `${text}, stream ids left: ${[...stored.values()].join()}`
}
const compact = await left('')
const spaced = await left(' ')
console.log(`compact JSON: ${compact}\nwith a space: ${spaced}`)
const same = compact === 'hello, stream ids left: ' && spaced === 'hello, stream ids left: stream-1'
console.log(same ? 'As described: a space keeps the reply open.' : 'This has changed.')
process.exit(same ? 0 : 1)
JS
timeout 60 node find.mjs
