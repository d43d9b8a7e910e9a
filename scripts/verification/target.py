"""The deployment, as its client sees it: one message after another at a bounded rate, over a few connections.

Every response passes here, so that what holds for all of them is seen here: the status is documented, an error is a
problem, 429 is obeyed. Knows nothing of single laws.
"""

# ruff: noqa: PLR2004 - a status is best known by its number

import asyncio
import contextlib
import re
import secrets
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import Self

import httpx

from tests.contract.asking import Request, delete
from tests.contract.document import PLACES, STATUSES, check_problem
from tests.support.asgi import Whole
from tests.support.keys import bearer

from .findings import Broken, Unseen, contract_says

CONNECTIONS = 4
CONNECT_SECONDS = 10.0
IDLE_SECONDS = 2.0
"""Shorter than servers keep idle connections, so that none is closed while a request is on its way."""

_ANSWER_SECONDS = 4.0

OWNER, OTHER, NOBODY, WRONG = "owner", "other", "nobody", "wrong"
"""In whose name one asks: with the key, with the other key, without any, or with one that opens nothing."""

_WRONG_KEY = "chat_0000000000000000_" + "0" * 43
_PATTERNS = [
    (operation_id, method, re.compile(re.sub(r"\{[^}]*\}", "[^/]+", path)))
    for operation_id, (method, path) in PLACES.items()
]
_BOTS_TROUBLE = {429, 502, 503, 504}
"""What the contract lets a deployment answer when its bot, its store or its room is short, whatever is asked."""
_SHOWN = {"accept", "content-type", "idempotency-key", "last-event-id", "origin"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the deployment is, and what opens it."""

    url: str
    key: str = ""
    other_key: str = ""
    ca: str = ""
    """A file of certificates to trust, instead of those that the machine trusts."""


def shown(request: Request) -> str:
    """A request in a line, without what is secret."""
    headers = [f"{name}: {value}" for name, value in request.headers.items() if name.lower() in _SHOWN]
    content = request.content if len(request.content) < 300 else f"{request.content[:300]}..."
    return " ".join([request.method, request.path, *(f"[{header}]" for header in headers), content]).rstrip()


def operation_of(method: str, path: str) -> str:
    """Which operation that is, if any."""
    bare = path.partition("?")[0]
    return next((name for name, its, pattern in _PATTERNS if its == method and pattern.fullmatch(bare)), "")


class Target:
    """An asynchronous context manager."""

    def __init__(self, place: Place, messages_per_second: float, say: Callable[[str], None]) -> None:
        self.place = place
        self.messages_per_second = messages_per_second
        self.messages = 0
        self.requests = 0
        self.made: dict[str, str] = {}
        """Conversations that are to be deleted, and in whose name."""
        self.deadline = monotonic() + 10
        """When what is being done has to be done: nobody waits longer because of a 429."""
        self.unanswered: dict[str, Request] = {}
        """By their idempotency keys, messages of which nobody knows whether they have made a conversation."""
        self.gives_keys = True
        """Whether each message that has no idempotency key gets one, so that it can be asked what became of it."""
        self.waited: list[str] = []
        """For each 429 that was obeyed, what it was."""
        self._say = say
        self._between_seconds = 1 / messages_per_second
        self._next_message = 0.0
        context = ssl.create_default_context(cafile=place.ca or None) if place.url.startswith("https:") else False
        self._client = httpx.AsyncClient(
            base_url=place.url,
            verify=context,
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),  # all else ends by the deadline of what is done
            limits=httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=IDLE_SECONDS),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    @asynccontextmanager
    async def open(self, request: Request, who: str = OWNER) -> AsyncGenerator[httpx.Response]:
        """The response, its body unread. Who leaves the block early hangs up."""
        while True:
            async with self.raw(request, who) as response:
                if response.status_code != 429:
                    self._note(request, response, who)
                    yield response
                    return
                seconds = await self._told_to_wait(request, response)
            self._say(f"429: waiting {seconds} s, as told")
            await asyncio.sleep(seconds)

    @asynccontextmanager
    async def raw(self, request: Request, who: str = OWNER) -> AsyncGenerator[httpx.Response]:
        """As `open`, but whatever comes is taken."""
        response = await self._send(request, who)
        try:
            yield response
        finally:
            await response.aclose()

    async def ask(self, request: Request, who: str = OWNER) -> Whole:
        """The response, read to its end; if it is an error, then one of the document's."""
        async with self.open(request, who) as response:
            return await self.whole(request, response)

    async def whole(self, request: Request, response: httpx.Response) -> Whole:
        """The rest of a response that was opened."""
        answer = Whole(response.status_code, dict(response.headers), await response.aread())
        if answer.status >= 400:
            contract = "every error is application/problem+json, to the letter as the document has it"
            with contract_says(shown(request), contract, law="statuses"):
                check_problem(answer)
        return answer

    async def get(self, request: Request, status: int, contract: str, who: str = OWNER) -> Whole:
        """The response, where the contract leaves no choice but this status, or a bot's trouble."""
        answer = await self.ask(request, who)
        if answer.status != status:
            raise refused(request, answer, contract)
        return answer

    async def forget(self) -> int:
        """Delete the conversations that were made. Returns how many could not be."""
        left = 0
        for key, request in list(self.unanswered.items()):
            with contextlib.suppress(Broken, Unseen, httpx.HTTPError, TimeoutError):
                async with asyncio.timeout(_ANSWER_SECONDS), self.open(request):
                    pass  # it is noted what it has made
            self.unanswered.pop(key, None)
        for conversation_id, who in list(self.made.items()):
            try:
                answer = await self.ask(delete(f"/api/conversations/{conversation_id}"), who)
                left += answer.status not in {204, 404}
            except (Broken, Unseen, httpx.HTTPError):
                left += 1
            self.made.pop(conversation_id, None)
        return left

    async def _send(self, request: Request, who: str) -> httpx.Response:
        self.requests += 1
        if operation_of(request.method, request.path) != "streamChat":
            return await self._client.send(self._built(request, who), stream=True)
        now = monotonic()
        self._next_message = max(self._next_message, now) + self._between_seconds
        await asyncio.sleep(self._next_message - self._between_seconds - now)
        self.messages += 1
        if not self.gives_keys or who != OWNER:
            return await self._client.send(self._built(request, who), stream=True)
        key = request.headers.get("idempotency-key", secrets.token_hex(16))
        keyed = replace(request, headers={**request.headers, "idempotency-key": key})
        self.unanswered[key] = keyed
        response = await self._client.send(self._built(keyed, who), stream=True)
        self.unanswered.pop(key, None)
        return response

    def _built(self, request: Request, who: str) -> httpx.Request:
        key = {OWNER: self.place.key, OTHER: self.place.other_key, WRONG: _WRONG_KEY}.get(who, "")
        signed = {"Authorization": bearer(key)} if key else {}
        headers = {"Accept-Encoding": "identity", **request.headers, **signed}
        content = request.content.encode() if request.content else None
        return self._client.build_request(request.method, request.path, headers=headers, content=content)

    def _note(self, request: Request, response: httpx.Response, who: str) -> None:
        operation_id = operation_of(request.method, request.path)
        if made := response.headers.get("conversation-id"):
            self.made.setdefault(made, who)
        if operation_id == "deleteConversation" and response.status_code == 204:
            self.made.pop(request.path.rpartition("/")[2], None)
        documented = STATUSES.get(operation_id, frozenset({404, 405})) | {421}
        if response.status_code not in documented:
            came = f"status {response.status_code} {response.headers.get('content-type', '')}".rstrip()
            listed = ", ".join(map(str, sorted(documented - {421})))
            raise Broken(shown(request), came, f"{operation_id or 'what is none'} has {listed}", law="statuses")

    async def _told_to_wait(self, request: Request, response: httpx.Response) -> int:
        answer = await self.whole(request, response)
        told = answer.headers.get("retry-after", "")
        if not told.isascii() or not told.isdigit():
            raise Broken(shown(request), f"429 with Retry-After {told!r}", "429 has Retry-After", law="statuses")
        why = f"{shown(request)[:60]} got 429 ({answer.json()['detail']})"
        if monotonic() + int(told) > self.deadline:
            raise Unseen(f"{why} and was told to wait {told} s, for which there is no time")
        self.waited.append(why)
        return int(told)


def refused(request: Request, answer: Whole, contract: str) -> Broken | Unseen:
    """What to make of a response that is not the one that is due."""
    if answer.status < 400:
        return Broken(shown(request), f"status {answer.status}", contract)
    problem = answer.json()
    told = f"{answer.status} {problem['type']}: {problem['detail']}"
    if answer.status in _BOTS_TROUBLE or problem["type"] == "urn:problem:message-refused":
        return Unseen(f"{shown(request)[:100]} gets {told}")
    return Broken(shown(request), told, contract)
