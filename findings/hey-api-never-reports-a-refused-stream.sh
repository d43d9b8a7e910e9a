#!/bin/sh
# A 422 on a streaming operation never reaches the caller of hey-api's client: it sends the POST again, without end.
#
# Version:  @hey-api/openapi-ts 0.99.0 (npm)
# Expected: a 4xx to a POST rejects, or is returned as `error`, as the same client does for operations without a stream.
# Seen:     each status but 2xx counts as a lost connection. The loop over the stream neither yields, nor ends, nor
#           throws, and the same POST goes out again after 3, 6, 12, 24, 30, 30 ... seconds. Here the waiting is
#           replaced by a counter: 25 requests were sent, then the script gave up. `sseMaxRetryAttempts` sets a bound,
#           but even then the loop just ends, like a reply without words; only `onSseError` hears of it.
# Matters:  to paid generations, rate limits and login (a 401 is repeated too), and to users who look at a spinner.
# Needs:    Node 20 or later with npm
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund @hey-api/openapi-ts@0.99.0 typescript@5.9.3 esbuild@0.25.12
cat >openapi.json <<'JSON'
{"openapi": "3.1.0", "info": {"title": "Words", "version": "1"}, "paths": {"/words": {"post": {"operationId": "words",
  "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object"}}}},
  "responses": {"200": {"description": "Words", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
    "422": {"description": "No", "content": {"application/json": {"schema": {"type": "object"}}}}}}}}}
JSON
node_modules/.bin/openapi-ts -i ./openapi.json -o client --no-log-file >/dev/null
cat >find.ts <<'TS'
import http from 'node:http'
import { words } from './client/sdk.gen'
let requests = 0
const waits: number[] = []
const server = http.createServer((request, response) => {
  requests += 1
  request.resume()
  response.writeHead(422, { 'content-type': 'application/json' })
  response.end('{"detail": "no"}')
})
async function told(options: object) {
  const baseUrl = `http://127.0.0.1:${(server.address() as any).port}`
  let yielded = 0
  try {
    const { stream } = await words({ baseUrl, body: {}, ...options })
    for await (const _ of stream) yielded += 1
    return `ended after ${yielded} words`
  } catch (error) {
    return `threw ${error}`
  }
}
server.listen(0, '127.0.0.1', async () => {
  const bounded = await told({ sseMaxRetryAttempts: 1 })
  requests = 0
  const limit = new AbortController()
  const sseSleepFn = async (ms: number) => {
    waits.push(ms)
    if (waits.length === 25) limit.abort()
  }
  const unbounded = await told({ sseSleepFn, signal: limit.signal })
  console.log(`one attempt allowed: ${bounded}`)
  console.log(`by default: ${requests} requests, waits ${waits.slice(0, 6)} ms, ${unbounded}`)
  const same = bounded === 'ended after 0 words' && unbounded === bounded && requests === 25 && waits[3] === 24000
  console.log(same ? 'As described: the refusal is never reported.' : 'This has changed.')
  process.exit(same ? 0 : 1)
})
TS
node_modules/.bin/esbuild find.ts --bundle --platform=node --log-level=error --outfile=find.cjs
timeout 60 node find.cjs
