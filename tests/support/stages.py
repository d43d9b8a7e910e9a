"""The stages of an engine's reply in which the laws about stopping interrupt it."""

from dataclasses import dataclass

from tests.support.completions import begun, chunk, said
from tests.support.engine import Script, Step


@dataclass(frozen=True, slots=True)
class Stage:
    """How much the engine has sent, and how much the reply's reader has received."""

    script: Script
    seen: bytes = b""


def stages(token_seconds: float) -> dict[str, Stage]:
    """All of them, by name; in the last one, a token comes every `token_seconds`."""
    tokens: list[Step] = [step for n in range(5_000) for step in (chunk(f"word{n} "), token_seconds)]
    return {
        "before the head": Stage(()),
        "before the first token": Stage(begun()),
        "while it thinks": Stage(begun(said(reasoning_content="Hm"))),
        "in the middle": Stage(begun(chunk("one "), chunk("two ")), b"data: one "),
        "between many tokens": Stage(begun(*tokens), b"data: word0 "),
    }
