"""What an engine says without the service in front of it."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

from .lab import Lab

_OK = 200


@dataclass(frozen=True, slots=True)
class Said:
    """An engine's answer."""

    status: int
    error: str
    """What kind of error it calls it; empty if it is none."""
    text: str
    tokens: int
    """That it has generated, by its own count or, without one, by its chunks."""

    @property
    def outcome(self) -> str:
        """In a few words."""
        if self.status != _OK or self.error:
            return f"{self.status}" + (f" `{self.error}`" if self.error else "")
        return "replies" if self.text else "200 with nothing in it"


async def ask(lab: Lab, message: str, max_tokens: int) -> Said:
    """One message, asked for as the service does."""
    body = {
        "model": lab.model or await _first_model(lab),
        "messages": [{"role": "user", "content": message}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": max_tokens,
    }
    async with _client(lab) as client, client.stream("POST", "/chat/completions", json=body) as response:
        if response.status_code != _OK:
            return Said(response.status_code, _kind(await response.aread()), "", 0)
        text, chunks, counted, error = "", 0, 0, ""
        async for line in response.aiter_lines():
            if not line.startswith("data:") or line.endswith("[DONE]"):
                continue
            chunk: dict[str, Any] = json.loads(line[5:])
            if "error" in chunk:
                error = _kind(line[5:].encode()) or "error"
            for choice in chunk.get("choices", []):
                if content := (choice.get("delta") or {}).get("content"):
                    text += content
                    chunks += 1
            counted = (chunk.get("usage") or {}).get("completion_tokens", counted)
        return Said(_OK, error, text, counted or chunks)


async def _first_model(lab: Lab) -> str:
    async with _client(lab) as client:
        listed = (await client.get("/models")).json()
    return str(listed["data"][0]["id"])


def _client(lab: Lab) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {lab.key}"} if lab.key else {}
    return httpx.AsyncClient(base_url=lab.base_url, headers=headers, trust_env=False, timeout=None)  # noqa: S113


def _kind(body: bytes) -> str:
    """The word that an error has for itself, if it is one word."""
    try:
        said = json.loads(body)
    except ValueError:
        return ""
    error = said.get("error", said) if isinstance(said, dict) else {}
    words = [error.get(name) for name in ("type", "code", "message")] if isinstance(error, dict) else []
    return next((word for word in words if isinstance(word, str) and word and " " not in word), "")
