#!/bin/sh
# A `null` in an optional field ends a reply of the AI SDK in the middle, although it ignores fields it does not know.
#
# Version:  ai 7.0.173 (npm), pydantic 2.14.4 (PyPI)
# Expected: a reader that ignores unknown fields takes `"providerMetadata": null` for the field's absence.
# Seen:     the schema allows the field to be missing, not to be null. The chunk fails its validation, and the stream
#           ends there: of "hello world" the user keeps "hello". An unknown field with null does no harm.
# Matters:  to servers in Python: pydantic writes None as null unless told `exclude_none=True`, and generated models
#           fill in each optional field. The server's own schema, where null is allowed, passes all of its tests.
# Needs:    Python 3.11, Node 20 or later with npm
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
python3 -m venv venv
venv/bin/python -m pip install -q pydantic==2.14.4
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund ai@7.0.173
cat >write.py <<'PY'
import sys

from pydantic import BaseModel


class Part(BaseModel):
    type: str
    messageId: str | None = None
    id: str | None = None
    delta: str | None = None
    providerMetadata: dict[str, dict[str, str]] | None = None


parts = [
    Part(type="start", messageId="m"),
    Part(type="text-start", id="1"),
    Part(type="text-delta", id="1", delta="hello"),
    Part(type="text-delta", id="1", delta=" world"),
    Part(type="text-end", id="1"),
    Part(type="finish"),
]
for number, part in enumerate(parts):
    nulls = sys.argv[1] == "null" and number == 3  # one chunk as pydantic writes it by default
    print(f"data: {part.model_dump_json(exclude_none=not nulls)}\n")
PY
cat >find.mjs <<'JS'
import { execFileSync } from 'node:child_process'
import { DefaultChatTransport, readUIMessageStream } from 'ai'
async function read(kind) {
  const body = execFileSync('venv/bin/python', ['write.py', kind])
  const headers = { 'content-type': 'text/event-stream' }
  const transport = new DefaultChatTransport({ fetch: async () => new Response(body, { headers }) })
  const messages = [{ id: 'u', role: 'user', parts: [{ type: 'text', text: 'Hi' }] }]
  const stream = await transport.sendMessages({ chatId: 'c', trigger: 'submit-message', messages })
  let text = ''
  let failed = 'no error'
  const onError = (error) => { failed = error.name }
  for await (const message of readUIMessageStream({ stream, onError })) text = message.parts.at(-1)?.text ?? text
  return `${text}, ${failed}`
}
const absent = await read('absent')
const nulls = await read('null')
console.log(`fields left out: ${absent}\nfields null:     ${nulls}`)
const same = absent === 'hello world, no error' && nulls === 'hello, AI_TypeValidationError'
console.log(same ? 'As described: null ends the reply.' : 'This has changed.')
process.exit(same ? 0 : 1)
JS
timeout 60 node find.mjs
