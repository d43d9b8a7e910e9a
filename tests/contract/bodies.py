"""Valid and invalid request bodies, by what is wrong with them. The invalid ones are full of canaries."""

import gzip
import json

from app.chat.white_space import WHITE_SPACE
from app.settings import Settings
from tests.contract.asking import CANARY
from tests.contract.wire import chunked

JSON = "Content-Type: application/json"
MAX_BYTES = Settings.model_fields["max_body_bytes"].default


def message(text: str) -> bytes:
    """A valid body."""
    return json.dumps({"user_message": text}).encode()


GOOD = message(CANARY)

MALFORMED = {
    "nothing": b"",
    "white space": b" \n",
    "a bare word": CANARY.encode(),
    "half an object": b'{"user_message": "' + CANARY.encode(),
    "a trailing comma": b'{"user_message": "%b",}' % CANARY.encode(),
    "single quotes": b"{'user_message': '%b'}" % CANARY.encode(),
    "a comment": b'{"user_message": "hello"} // %b' % CANARY.encode(),
    "two texts": GOOD + GOOD,
    "something behind": GOOD + b"\x00",
    "NaN": b'{"user_message": NaN}',
    "NaN in a field that is not there": b'{"user_message": "hello", "%b": NaN}' % CANARY.encode(),
    "Infinity": b'{"user_message": Infinity}',
    "minus Infinity": b'{"user_message": [-Infinity]}',
    "a field twice": b'{"user_message": "hello", "user_message": "%b"}' % CANARY.encode(),
    "a field twice, once escaped": b'{"user_message": "hello", "user\\u005fmessage": "%b"}' % CANARY.encode(),
    "a field twice, further in": b'{"user_message": {"%b": 1, "%b": 2}}' % (CANARY.encode(), CANARY.encode()),
    "a raw NUL": b'{"user_message": "%b\x00"}' % CANARY.encode(),
    "a raw line feed in a string": b'{"user_message": "%b\n"}' % CANARY.encode(),
    "a bad escape": b'{"user_message": "\\x %b"}' % CANARY.encode(),
    "half an escape": b'{"user_message": "%b \\u12"}' % CANARY.encode(),
    "not UTF-8": b'{"user_message": "\xff %b"}' % CANARY.encode(),
    "an overlong sequence": b'{"user_message": "\xc0\xaf %b"}' % CANARY.encode(),
    "a raw surrogate": b'{"user_message": "\xed\xa0\x80 %b"}' % CANARY.encode(),
    "latin-1": '{"user_message": "\xe9"}'.encode("latin-1"),
    "UTF-16": GOOD.decode().encode("utf-16"),
    "UTF-16 without a mark": GOOD.decode().encode("utf-16-le"),
    "UTF-32": GOOD.decode().encode("utf-32"),
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "compressed without saying so": gzip.compress(GOOD),
    "a form": b"user_message=%b" % CANARY.encode(),
    "arrays 100,000 deep": b'{"user_message": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "arrays 100,000 deep and never closed": b"[" * 100_000,
    "objects 20,000 deep": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
}

INVALID = {
    "no field": (b"{}", ["/user_message"]),
    "another field": (b'{"text": "%b"}' % CANARY.encode(), ["/user_message", "/text"]),
    "an extra field": (b'{"user_message": "hello", "mood": "%b"}' % CANARY.encode(), ["/mood"]),
    "an extra field with a long name": (b'{"user_message": "hello", "%b": 1}' % (CANARY.encode() * 8), [""]),
    "an extra field with a name of more words": (b'{"user_message": "hello", "a %b": 1}' % CANARY.encode(), [""]),
    "30 extra fields": (json.dumps({"user_message": "hello"} | {f"{n} {CANARY}": n for n in range(30)}).encode(), 20),
    "an extra field without a name": (b'{"user_message": "hello", "": "%b"}' % CANARY.encode(), [""]),
    "an extra field with a bad name": (b'{"user_message": "hello", "\\ud800%b/~\\u0000": 1}' % CANARY.encode(), [""]),
    "the field in other letters": (b'{"User_Message": "%b"}' % CANARY.encode(), ["/user_message", "/User_Message"]),
    "the field by another alias": (b'{"userMessage": "%b"}' % CANARY.encode(), ["/user_message", "/userMessage"]),
    "no choice": (b'{"user_message": "hello", "on_disconnect": "%b"}' % CANARY.encode(), ["/on_disconnect"]),
    "a choice in other letters": (b'{"user_message": "hello", "on_disconnect": "Cancel"}', ["/on_disconnect"]),
    "a choice that is null": (b'{"user_message": "hello", "on_disconnect": null}', ["/on_disconnect"]),
    "a choice of another field": (b'{"user_message": "hello", "on_busy": "continue"}', ["/on_busy"]),
    "an id that is null": (b'{"user_message": "hello", "conversation_id": null}', ["/conversation_id"]),
    "a message and a reply to regenerate": (
        b'{"user_message": "hello", "regenerates": "%032d"}' % 0,
        ["/user_message"],
    ),
    "an edit without a message": (b'{"edits": "%032d"}' % 0, ["/user_message"]),
    "an edit of what is regenerated": (b'{"regenerates": "%032d", "edits": "%032d"}' % (0, 0), ["/edits"]),
    "a reply to regenerate that is no id": (b'{"regenerates": "%b"}' % CANARY.encode(), ["/regenerates"]),
    "an edit of what is no id": (b'{"user_message": "hello", "edits": "%b"}' % CANARY.encode(), ["/edits"]),
    "an edit of null": (b'{"user_message": "hello", "edits": null}', ["/edits"]),
    "null": (b'{"user_message": null}', ["/user_message"]),
    "an integer": (b'{"user_message": 7}', ["/user_message"]),
    "a number in no bounds": (b'{"user_message": %b}' % (b"9" * 5000), ["/user_message"]),
    "a fraction": (b'{"user_message": 1e999}', ["/user_message"]),
    "true": (b'{"user_message": true}', ["/user_message"]),
    "an array": (b'{"user_message": ["%b"]}' % CANARY.encode(), ["/user_message"]),
    "an object": (b'{"user_message": {"%b": "%b"}}' % (CANARY.encode(), CANARY.encode()), ["/user_message"]),
    "arrays 200 deep": (b'{"user_message": ' + b"[" * 200 + b"]" * 200 + b"}", ["/user_message"]),
    "an array as body": (b"[%b]" % GOOD, [""]),
    "a string as body": (b'"%b"' % CANARY.encode(), [""]),
    "a number as body": (b"12345678", [""]),
    "null as body": (b"null", [""]),
    "true as body": (b"true", [""]),
    "a lone high surrogate": (b'{"user_message": "\\ud83d %b"}' % CANARY.encode(), ["/user_message"]),
    "a lone low surrogate": (b'{"user_message": "%b \\ude00"}' % CANARY.encode(), ["/user_message"]),
    "a surrogate pair in the wrong order": (b'{"user_message": "\\ude00\\ud83d"}', ["/user_message"]),
    "an escaped NUL": (b'{"user_message": "%b\\u0000"}' % CANARY.encode(), ["/user_message"]),
    "nothing but a NUL": (b'{"user_message": "\\u0000"}', ["/user_message"]),
    "an empty message": (message(""), ["/user_message"]),
    "all white space there is": (message(WHITE_SPACE), ["/user_message"]),
    "a message one character too long": (message("x" * 16_001), ["/user_message"]),
    "a message much too long": (message(CANARY * 20_000), ["/user_message"]),
}

UNSUPPORTED = {
    "no type": [],
    "an empty type": ["Content-Type:"],
    "text": ["Content-Type: text/plain"],
    "a form": ["Content-Type: application/x-www-form-urlencoded"],
    "a form in parts": ["Content-Type: multipart/form-data; boundary=x"],
    "a relative of JSON": ["Content-Type: application/problem+json"],
    "JSON's longer brother": ["Content-Type: application/json5"],
    "any type": ["Content-Type: */*"],
    "no subtype": ["Content-Type: application"],
    "garbage": [f"Content-Type: ;=,{CANARY};;\xff"],
    "an unknown type": [f"Content-Type: application/{CANARY}"],
    "UTF-16": ["Content-Type: application/json; charset=utf-16"],
    "latin-1": ["Content-Type: application/json; charset=iso-8859-1"],
    "an unknown charset": [f'Content-Type: application/json; charset="{CANARY}"'],
    "an empty charset": ["Content-Type: application/json; charset="],
    "two types in two lines": [JSON, "Content-Type: text/plain"],
    "two types in one line": [JSON + ", text/plain"],
    "gzip": [JSON, "Content-Encoding: gzip"],
    "br": [JSON, "Content-Encoding: br"],
    "gzip twice": [JSON, "Content-Encoding: gzip, gzip"],
    "gzip in a second line": [JSON, "Content-Encoding: identity", "Content-Encoding: gzip"],
    "gzip in a first line": [JSON, "Content-Encoding: gzip", "Content-Encoding: identity"],
    "an unknown compression": [JSON, f"Content-Encoding: {CANARY}"],
}

TOO_LARGE = {
    "one byte too many": message("x" * (MAX_BYTES + 1 - len(message("")))),
    "many bytes too many": message(CANARY * MAX_BYTES)[: 4 * MAX_BYTES],
}

ACCEPTED = {
    "plain": ([JSON], GOOD),
    "with white space around it": ([JSON], b"\r\n\t " + GOOD + b" \n"),
    "in chunks": ([JSON, "Transfer-Encoding: chunked"], chunked(GOOD, 3)),
    "with the charset named": (["Content-Type: application/json; charset=utf-8"], GOOD),
    "with the charset in other letters": (['content-type: APPLICATION/JSON;Charset="UTF-8"'], GOOD),
    "with another parameter": (["Content-Type: application/json; profile=x"], GOOD),
    "not compressed, and it says so": ([JSON, "Content-Encoding: identity"], GOOD),
    "as long as may be": ([JSON], message("x" * 16_000)),
    "as long as may be, in bytes too": ([JSON], message("\U0001f600" * 16_000)),
    "with a choice": ([JSON], b'{"user_message": "hello", "on_disconnect": "continue"}'),
    "with every choice": ([JSON], b'{"user_message": "hello", "on_disconnect": "cancel", "on_busy": "cancel"}'),
    "with escapes for everything": ([JSON], b'{"user\\u005fmessage": "\\u0068\\ud83d\\ude00\\/\\n"}'),
    "as large as may be": ([JSON], GOOD + b" " * (MAX_BYTES - len(GOOD))),
}
