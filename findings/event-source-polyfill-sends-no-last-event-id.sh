#!/bin/sh
# event-source-polyfill resumes without a Last-Event-ID header: it puts the id into the query.
#
# Version:  event-source-polyfill 1.0.31 (npm)
# Expected: a polyfill of EventSource reconnects as EventSource does, with the header Last-Event-ID.
# Seen:     it never sends the header. It appends `?lastEventId=1` to the URL (another name can be set). A server that
#           follows the standard starts over, and each reconnection delivers the same events again.
# Matters:  to streams that are resumed: pages use this package to send an Authorization header, which they cannot with
#           EventSource. A contract that validates its query parameters even answers 400 to each reconnection.
# Needs:    Node 20 or later with npm
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund event-source-polyfill@1.0.31
cat >find.cjs <<'JS'
const http = require('node:http')
const { EventSourcePolyfill } = require('event-source-polyfill')
const asked = []
const heard = []
const server = http.createServer((request, response) => {
  const after = Number(request.headers['last-event-id'] ?? 0)
  asked.push(`${request.url} Last-Event-ID: ${request.headers['last-event-id'] ?? '-'}`)
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.end(`retry: 20\n\nid: ${after + 1}\ndata: event ${after + 1}\n\n`)
})
server.listen(0, '127.0.0.1', () => {
  const source = new EventSourcePolyfill(`http://127.0.0.1:${server.address().port}/events`)
  source.onmessage = (event) => {
    heard.push(event.data)
    if (heard.length < 3) return
    source.close()
    console.log(`${asked.slice(0, 3).join('\n')}\nheard: ${heard.join(', ')}`)
    const again = '/events?lastEventId=1 Last-Event-ID: -'
    const same = `${asked.slice(0, 3)}` === `/events Last-Event-ID: -,${again},${again}` && heard[2] === 'event 1'
    console.log(same ? 'As described: the header is missing.' : 'This has changed.')
    process.exit(same ? 0 : 1)
  }
})
JS
timeout 60 node find.cjs
