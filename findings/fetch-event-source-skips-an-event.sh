#!/bin/sh
# @microsoft/fetch-event-source resumes behind an event that it has never delivered.
#
# Version:  @microsoft/fetch-event-source 2.0.1 (npm)
# Expected: Last-Event-ID names the last event that was dispatched. The HTML standard sets it at the blank line that
#           dispatches an event, so that an event cut in half is sent again.
# Seen:     the id counts as soon as its own line has arrived. A connection that breaks between `id: 2` and the blank
#           line loses event 2 for good: the application never gets it, and the server is asked to continue after it.
#           Delivered: one, three. Asked for: nothing, then "2".
# Matters:  to servers that write `id:` first, as most frameworks do: each network change can drop a piece of a reply.
#           Writing `id:` as an event's last line makes the gap small; it does not close it.
# Needs:    Node 20 or later with npm
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund @microsoft/fetch-event-source@2.0.1
cat >find.cjs <<'JS'
const http = require('node:http')
const { fetchEventSource } = require('@microsoft/fetch-event-source')
const asked = []
const delivered = []
const server = http.createServer((request, response) => {
  const after = request.headers['last-event-id'] ?? ''
  asked.push(after)
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  if (after === '') {
    // The connection breaks in the middle of event 2.
    response.write('retry: 50\nid: 1\ndata: one\n\nid: 2\nda', () => setTimeout(() => response.destroy(), 200))
  } else {
    const events = ['id: 1\ndata: one\n\n', 'id: 2\ndata: two\n\n', 'id: 3\ndata: three\n\n']
    response.end(events.slice(Number(after)).join(''))
  }
})
server.listen(0, '127.0.0.1', async () => {
  globalThis.window = globalThis // the library is written for browsers
  globalThis.document = new EventTarget()
  await fetchEventSource(`http://127.0.0.1:${server.address().port}/`, {
    openWhenHidden: true,
    fetch,
    onmessage: (message) => message.data && delivered.push(message.data),
  }).catch((error) => console.log(String(error)))
  console.log('Last-Event-ID:', JSON.stringify(asked), 'delivered:', JSON.stringify(delivered))
  const same = JSON.stringify([asked, delivered]) === '[["","2"],["one","three"]]'
  console.log(same ? 'As described: event 2 is lost.' : 'This has changed.')
  process.exit(same ? 0 : 1)
})
JS
timeout 60 node find.cjs
