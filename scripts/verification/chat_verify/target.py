"""The client for the deployment: sends messages at a limited rate over a few connections.

Every response passes through here, so this is where the common rules are checked: the status and the headers are
documented, an error is a problem, 429 is obeyed, and a hop's response is not taken for the service's. Knows nothing
about single laws.
"""

# ruff: noqa: PLR2004 - a status is best known by its number

import asyncio
import contextlib
import secrets
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import Self

import httpx

from chat_verify import hops
from chat_verify.contract import NotAsDocumented, check_headers, check_json, check_problem, check_status, operation_of
from chat_verify.exchange import Answer, Request, delete, shown
from chat_verify.findings import Broken, HopAnswered, Unseen, contract_says
from chat_verify.wire import exchanged, is_direct

CONNECTIONS = 4
CONNECT_SECONDS = 10.0
IDLE_SECONDS = 2.0
"""Shorter than servers keep idle connections, so that none is closed while a request is being sent."""

_ANSWER_SECONDS = 4.0

OWNER, OTHER, NOBODY, WRONG = "owner", "other", "nobody", "wrong"
"""Which key is sent: the key, the other key, none, or an invalid one."""

MESSAGES = frozenset({"streamChat", "createReply"})
"""The operations that make the bot generate."""
_FOREIGN_MESSAGES = frozenset({"streamUiChat", "runAgent", "createChatCompletion"})
"""Those that do so in other protocols. The same request again gets the same reply, if it is stored at all."""
ALL_MESSAGES = MESSAGES | _FOREIGN_MESSAGES

_WRONG_KEY = "chat_0000000000000000_" + "0" * 43
_BOTS_TROUBLE = {429, 502, 503, 504}
"""Statuses allowed for any request when the bot, the store or the capacity is insufficient."""


@dataclass(frozen=True, slots=True)
class Place:
    """The deployment's URL and credentials."""

    url: str
    key: str = ""
    other_key: str = ""
    ca: str = ""
    """A file of certificates to trust instead of the machine's."""


class Target:
    """A deployment, with the state of the client. An async context manager."""

    def __init__(self, place: Place, messages_per_second: float, say: Callable[[str], None]) -> None:
        self.place = place
        self.messages_per_second = messages_per_second
        self.messages = 0
        self.requests = 0
        self.made: dict[str, str] = {}
        """Conversations to be deleted, with the key that created them."""
        self.deadline = monotonic() + 10
        """When the current law must be done: no wait for a 429 goes beyond it."""
        self.unanswered: dict[str, Request] = {}
        """By idempotency key, messages without a response, which may have created a conversation."""
        self.gives_keys = True
        """Whether a message without an idempotency key gets one, so that its conversation can be found again."""
        self.waited: list[str] = []
        """A description of each 429 that was obeyed."""
        self.hops: dict[str, str] = {}
        """By kind, a response that a hop gave by itself."""
        self.same_version = True
        """Whether the deployment has the same version of the contract as this program."""
        self._say = say
        self._between_seconds = 1 / messages_per_second
        self._next_message = 0.0
        is_tls = place.url.startswith("https:")
        self._tls = ssl.create_default_context(cafile=place.ca or None) if is_tls else None
        self._client = httpx.AsyncClient(
            base_url=place.url,
            verify=self._tls or False,
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),  # the current law's deadline limits everything else
            limits=httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=IDLE_SECONDS),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    @asynccontextmanager
    async def open(self, request: Request, who: str = OWNER) -> AsyncGenerator[httpx.Response]:
        """The response with its body unread. Leaving the block early closes the connection."""
        while True:
            async with self.raw(request, who) as response:
                if response.status_code != 429 or hops.is_of_a_hop(response.status_code, response.headers):
                    self._note(request, response, who)
                    yield response
                    return
                seconds = await self._told_to_wait(request, response)
            self._say(f"429: waiting {seconds} s, as Retry-After says")
            await asyncio.sleep(seconds)

    @asynccontextmanager
    async def raw(self, request: Request, who: str = OWNER) -> AsyncGenerator[httpx.Response]:
        """Like `open`, without any checks."""
        response = await self._send(request, who)
        try:
            yield response
        finally:
            await response.aclose()

    async def ask(self, request: Request, who: str = OWNER) -> Answer:
        """The complete response, checked against the document."""
        async with self.open(request, who) as response:
            return await self.whole(request, response)

    async def whole(self, request: Request, response: httpx.Response) -> Answer:
        """The rest of an opened response."""
        answer = Answer(response.status_code, dict(response.headers), await response.aread())
        if answer.status >= 400 and request.method != "HEAD":
            with contract_says(
                shown(request), "every error is application/problem+json, as documented", law="statuses"
            ):
                check_problem(answer, same_version=self.same_version)
        elif answer.status == 200 and request.method != "HEAD":
            with contract_says(shown(request), "a response is as documented", law="document"):
                check_json(operation_of(request.method, request.path), answer)
        return answer

    async def get(self, request: Request, status: int, contract: str, who: str = OWNER) -> Answer:
        """The response, where the contract allows only this status or a temporary failure."""
        answer = await self.ask(request, who)
        if answer.status != status:
            raise refused(request, answer, contract)
        return answer

    async def bytes_of(self, request: Request) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers, and all bytes after them until the server closes the connection."""
        self.requests += 1
        built = self._built(request, OWNER)
        if not is_direct(built):
            async with self.raw(request) as response:
                return response.status_code, dict(response.headers), b""
        return await exchanged(built, self._tls)

    async def forget(self) -> int:
        """Delete the conversations that were created. Returns how many could not be deleted."""
        left = 0
        for key, request in list(self.unanswered.items()):
            with contextlib.suppress(Broken, Unseen, httpx.HTTPError, TimeoutError):
                async with asyncio.timeout(_ANSWER_SECONDS), self.open(request):
                    pass  # its headers name the conversation
            self.unanswered.pop(key, None)
        for conversation_id, who in list(self.made.items()):
            try:
                answer = await self.ask(delete(f"/api/conversations/{conversation_id}"), who)
                left += answer.status not in {204, 404}
            except (Broken, Unseen, httpx.HTTPError):
                left += 1
            self.made.pop(conversation_id, None)
        return left

    def url_of(self, request: Request) -> str:
        """The URL of a request."""
        return self.place.url + request.path

    async def _send(self, request: Request, who: str) -> httpx.Response:
        self.requests += 1
        if operation_of(request.method, request.path) not in MESSAGES:
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
        signed = {"Authorization": f"Bearer {key}"} if key else {}
        headers = {"Accept-Encoding": "identity", **request.headers, **signed}
        content = request.content.encode() if request.content else None
        return self._client.build_request(request.method, request.path, headers=headers, content=content)

    def _note(self, request: Request, response: httpx.Response, who: str) -> None:
        if response.status_code >= 300 and hops.is_of_a_hop(response.status_code, response.headers):
            raise self._by_a_hop(request, response)
        operation_id = operation_of(request.method, request.path)
        if made := response.headers.get("conversation-id"):
            self.made.setdefault(made, who)
        if operation_id == "deleteConversation" and response.status_code == 204:
            self.made.pop(request.path.rpartition("/")[2], None)
        with contract_says(shown(request), "every status is documented", law="statuses"):
            check_status(operation_id, response.status_code)
        try:
            check_headers(operation_id, response.status_code, response.headers)
        except NotAsDocumented as error:
            law = "addresses" if "Location" in str(error) else "document"
            contract = "the headers are as documented"
            raise Broken(shown(request), str(error), contract, law=law) from error

    def _by_a_hop(self, request: Request, response: httpx.Response) -> Broken | Unseen:
        status = response.status_code
        came = hops.told(status, response.headers)
        if status not in hops.ITS_OWN:
            return Broken(shown(request), came, hops.REPLACES, law="statuses")
        account = hops.account(shown(request)[:100], status, response.headers)
        self.hops.setdefault(f"{request.method} {status}", account)
        return HopAnswered(account)

    async def _told_to_wait(self, request: Request, response: httpx.Response) -> int:
        answer = await self.whole(request, response)
        told = answer.headers.get("retry-after", "")
        if not told.isascii() or not told.isdigit():
            raise Broken(shown(request), f"429 with Retry-After {told!r}", "429 has Retry-After", law="statuses")
        why = f"{shown(request)[:60]} gets 429 ({answer.json()['detail']})"
        if monotonic() + int(told) > self.deadline:
            raise Unseen(f"{why} and was told to wait {told} s, which is too long. Next: raise --seconds")
        self.waited.append(why)
        return int(told)


def refused(request: Request, answer: Answer, contract: str) -> Broken | Unseen:
    """The exception for an unexpected response."""
    if answer.status < 400:
        return Broken(shown(request), f"status {answer.status}", contract)
    problem = answer.json()
    told = f"{answer.status} {problem['type']}: {problem['detail']}"
    if answer.status in _BOTS_TROUBLE or problem["type"] == "urn:problem:message-refused":
        return Unseen(f"{shown(request)[:100]} gets {told}")
    return Broken(shown(request), told, contract)
