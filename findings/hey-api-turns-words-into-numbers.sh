#!/bin/sh
# hey-api's generated client parses each event's data as JSON, even where the contract says that it is a string.
#
# Version:  @hey-api/openapi-ts 0.99.0 (npm)
# Expected: `text/event-stream` with `schema: {type: string}` yields strings; the generated type says so.
# Seen:     data that happens to be JSON is delivered as its value, the rest as text. The words "1.0", "true", "null",
#           "12345678901234567890" and "\"ok\"" arrive as 1, true, null, 12345678901234567000 and ok (without quotes).
# Matters:  to streams of text in pieces: joining them gives another text, and TypeScript does not see it. A contract
#           that streams text to this client needs an envelope, such as {"text": "1.0"}.
# Needs:    Node 20 or later with npm
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund @hey-api/openapi-ts@0.99.0 typescript@5.9.3 esbuild@0.25.12
cat >openapi.json <<'JSON'
{"openapi": "3.1.0", "info": {"title": "Words", "version": "1"}, "paths": {"/words": {"get": {"operationId": "words",
  "responses": {"200": {"description": "Words", "content": {"text/event-stream": {"schema": {"type": "string"}}}}}}}}}
JSON
node_modules/.bin/openapi-ts -i ./openapi.json -o client --no-log-file >/dev/null
cat >find.ts <<'TS'
import http from 'node:http'
import { words } from './client/sdk.gen'
const sent = ['1.0', 'true', 'null', '12345678901234567890', '"ok"', 'word']
const server = http.createServer((_, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.end(sent.map((word) => `data: ${word}\n\n`).join(''))
})
server.listen(0, '127.0.0.1', async () => {
  const { stream } = await words({ baseUrl: `http://127.0.0.1:${(server.address() as any).port}` })
  const heard = []
  for await (const word of stream) heard.push(word)
  console.log('sent ', sent, '\nheard', heard)
  const same = JSON.stringify(heard) === '[1,true,null,12345678901234567000,"ok","word"]'
  console.log(same ? 'As described: words lose their type.' : 'This has changed.')
  process.exit(same ? 0 : 1)
})
TS
node_modules/.bin/esbuild find.ts --bundle --platform=node --log-level=error --outfile=find.cjs
timeout 60 node find.cjs
