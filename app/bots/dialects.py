"""What engines, gateways and hosted APIs send, and what it means: the only table of their dialects.

All claim OpenAI's API, but each has its own words for finish reasons, errors and usage. New variants are added here and
nowhere else. Knows neither HTTP nor streams.
"""

import enum
import re
from collections.abc import Mapping

from app.chat.model import FinishReason, Usage


class Meaning(enum.Enum):
    """What an engine's error is about."""

    TOO_LONG = enum.auto()
    """The conversation does not fit into the model's context."""
    TOO_MANY_TOKENS = enum.auto()
    """`max_tokens` does not fit into the model's context."""
    FILTERED = enum.auto()
    """A content filter rejects the text."""
    NO_MAX_TOKENS = enum.auto()
    """The model does not support this field of the request; the next four are alike."""
    NO_TEMPERATURE = enum.auto()
    NO_STREAM_OPTIONS = enum.auto()
    NO_SYSTEM_ROLE = enum.auto()
    NO_STOP = enum.auto()
    KEY = enum.auto()
    MODEL = enum.auto()
    QUOTA = enum.auto()
    """The account has no credit."""
    ADDRESS = enum.auto()
    """There is no engine at this URL, or it uses another path."""
    RATE = enum.auto()
    BUSY = enum.auto()
    SLOW = enum.auto()
    """The engine, or a backend behind it, took too long."""
    REQUEST = enum.auto()
    """The request was refused for an unknown reason."""
    BROKEN = enum.auto()
    """The engine failed for an unknown reason."""


NOT_YET = frozenset({"", "null", "none", "not_finished", "in_progress", "finish_reason_unspecified", "unspecified"})
"""What some engines send as the finish reason before there is one."""

_REASONS: Mapping[FinishReason, str] = {
    "stop": "stop eos eos_token end_turn end_of_turn stop_sequence stop_token stop_word stop_str end complete completed"
    " finish finished done normal endoftext matched",
    "length": "length max_tokens max_length max_output_tokens max_new_tokens max_completion_tokens token_limit"
    " model_length model_context_window_exceeded context_length context_window_exceeded time_limit",
    "content_filter": "content_filter content_filtered content_filter_stop safety recitation blocklist"
    " prohibited_content spii refusal sensitive guardrail_intervened guardrails error_toxic image_safety language"
    " moderation",
}
_REASON_OF: Mapping[str, FinishReason] = {word: reason for reason, words in _REASONS.items() for word in words.split()}


def finish_reason(said: str) -> FinishReason | None:
    """The meaning of a finish reason, in any case; `None` for one that does not end a text, such as `tool_calls`.

    Gemini appends its own to OpenAI's: `content_filter: RECITATION`.
    """
    word = said.partition(":")[0].strip().lower().replace("-", "_")
    return _REASON_OF.get(word.rpartition(".")[2])


_COUNTS = (
    ("prompt_tokens", "completion_tokens"),
    ("input_tokens", "output_tokens"),
    ("promptTokenCount", "candidatesTokenCount"),
    ("prompt_eval_count", "eval_count"),
)
_USAGE = ("usage", "x_groq", "usageMetadata", "usage_metadata")
_MOST_TOKENS = 2**53 - 1


def usage(holder: Mapping[str, object]) -> Usage | None:
    """The token counts in a chunk or a choice. Invalid counts are ignored: they must not fail a reply."""
    for name in _USAGE:
        said = holder.get(name)
        if name == "x_groq" and isinstance(said, dict):
            said = said.get("usage")
        if isinstance(said, dict):
            for counts in _COUNTS:
                prompt, completion = (_count(said.get(name)) for name in counts)
                if prompt is not None and completion is not None:
                    return Usage(prompt, completion)
    return None


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_TOKENS:
        return None
    return int(value) if value == int(value) else None


_KEEP_ALIVE = re.compile(
    rb':.*|\[?"?(ping|pong|keep[-_ ]?alive|heartbeat|waiting|processing|null)"?\]?', re.IGNORECASE | re.DOTALL
)
KEEP_ALIVE_EVENTS = frozenset({b"ping", b"keepalive", b"keep-alive", b"keep_alive", b"heartbeat"})


def is_keep_alive(data: bytes) -> bool:
    """Whether data in place of a chunk is only a keep-alive: `: keepalive`, `[PING]`, `null`."""
    return _KEEP_ALIVE.fullmatch(data) is not None


_REFUSES = (
    "unsupported|unknown|unexpected|deprecated|unrecogni[sz]ed|not (?:be )?support|not permitted|not allowed|not accept"
    r"|not enabled|does ?n[o't]+ support|extra[_ ](?:inputs?|fields?|forbid)|only (?:the )?(?:default|1)\b|got system"
)
_TOKENS = r"max_(?:completion_|output_|new_)?tokens"


def _field(name: str) -> str:
    """A pattern for text that says that a field is not supported, in any word order. Anchored, so it is tried once."""
    return rf"\A(?=.*\b(?:{name})\b)(?=.*(?:{_REFUSES}))"


_TABLE: tuple[tuple[Meaning, tuple[str, ...]], ...] = (
    (
        Meaning.TOO_LONG,  # the sum is too long: only the conversation can be shortened
        (r"tokens\W+\+\W+max_new_tokens", r"input length and \W?max_tokens", "request too large for model"),
    ),
    (
        Meaning.TOO_MANY_TOKENS,
        (
            rf"{_TOKENS}\W{{1,3}}(?:value )?(?:is |are )?too (?:large|high|big)",
            rf"{_TOKENS}\W{{1,4}}(?:\w+ )?(?:must|should|has to|cannot|can't|may not|exceeds)",
            r"range of max_\w*tokens|max_\w*tokens: \d+ >|invalid max_\w*tokens value",
            r"at most \d+ completion tokens|allowed number of output tokens|maximum value for \W?max_\w*tokens",
        ),
    ),
    (
        Meaning.RATE,  # before the row of lengths: "too many tokens, please wait"
        ("throttl|please wait", "(?:tokens?|requests?) per (?:minute|day)"),
    ),
    (
        Meaning.TOO_LONG,
        (
            "context_length_exceeded|exceed_context_size|context_window_exceeded|model_max_prompt_tokens",
            "context[ _-]?(?:length|size|window|limit|overflow)|context the overflows|max_seq_len|max_model_len",
            "max(?:imum)? (?:allowed )?(?:model|prompt|input|sequence) length|prompt_too_long|string_above_max_length",
            r"(?:prompt|inputs?|messages?|request|text|query)\b[\w '`]{0,30} too (?:long|large|big)|prompt too long",
            r"too many (?:input )?tokens|exceed\w* (?:the |its |model )*(?:max\w* )?(?:number of )?(?:token|length)",
            "token (?:count|limit|length)[^.]{0,60}exceed|exceed[^.]{0,60}token (?:count|limit)|prompt exceeds",
            "range of input length|must have less than|request_too_large|entity too large",
            "reduce (?:the|your) (?:length|message|prompt|input)|larger than the (?:maximum|context)",
        ),
    ),
    (
        Meaning.FILTERED,
        (
            "content[_ -]?(?:filter|policy|management|moderation)|responsibleaipolicy|data_?inspection|unsafe_content",
            "inappropriate.content|content exists risk|high risk|usage (?:guideline|polic)|moderation|flagged",
            "sensitive[_ ]?(?:content|word|info)|new_sensitive|敏感|不安全|guardrail|prohibited_content",
            "safety (?:reason|check|system|filter|setting)|safety_check|blocked by|block_?reason",
            r"(?:prompt|content|request|input) (?:was|is|has been) blocked|violat\w+ (?:our|the|usage|content)",
        ),
    ),
    (
        Meaning.QUOTA,
        (
            "insufficient[_ ](?:quota|balance|credit|fund)|current quota|billing|credit balance|payment required",
            "arrear|out of credits|account[^.]{0,40}(?:suspended|deactivated|disabled)|余额|欠费",
        ),
    ),
    (
        Meaning.NO_SYSTEM_ROLE,
        (
            r"(?:system|developer)\W{0,2} (?:role|message|instruction|prompt)s?\W.{0,40}not (?:be )?(?:support|enab)",
            rf"{_field('system|developer')}(?=.*\brole)|roles must alternate|must alternate between|got system",
        ),
    ),
    (Meaning.NO_MAX_TOKENS, (_field("max_tokens"), r"use \W?max_completion_tokens")),
    (Meaning.NO_TEMPERATURE, (_field("temperature"),)),
    (Meaning.NO_STREAM_OPTIONS, (_field("stream_options|include_usage"),)),
    (Meaning.NO_STOP, (_field("stop"),)),
    (
        Meaning.KEY,
        (
            "invalid[_ ]?(?:api[_ ]?key|token|credential|auth)|incorrect api key|no connected db|forbidden",
            "api[_ ]?key[^.]{0,30}(?:invalid|expired|missing|not valid|required)|permission[_ ]?denied",
            "(?:no|missing|wrong|bad) (?:api[_ ]?key|auth|credential|token)|authentication|unauthori[sz]ed",
        ),
    ),
    (
        Meaning.MODEL,
        (
            "model_?not_?(?:found|available)|(?:unknown|invalid|no such|unsupported) model|model_decommissioned",
            r"model\b.{0,120}(?:does not exist|not exist|not found|is not available|is not served)",
            r"model\b.{0,60}has been (?:decommissioned|deprecated)|not a valid model|no models? loaded",
            "try pulling|pinned to",
        ),
    ),
    (Meaning.RATE, ("rate[_ -]?limit", "too many requests")),
    (
        Meaning.BUSY,
        (
            "overloaded|capacity|queue (?:is )?full|too busy|resource_?exhausted|insufficient_system_resource",
            "(?:server|engine|model) (?:is )?(?:currently )?(?:too )?(?:busy|loading|unavailable)|loading model",
            "try again later|warming up|no available (?:server|worker|channel)|temporarily unavailable",
            # What a gateway says of an engine that it cannot reach.
            "connection (?:error|refused)|cannot connect to host|connection attempts failed|no healthy upstream",
        ),
    ),
)
_MOST_CHARACTERS = 2048
"""How much of an error is read: its subject comes first."""

_ROWS = tuple((means, re.compile("|".join(words), re.DOTALL)) for means, words in _TABLE)

_STATUSES: Mapping[int, Meaning] = {
    401: Meaning.KEY,
    402: Meaning.QUOTA,
    403: Meaning.KEY,
    404: Meaning.ADDRESS,
    405: Meaning.ADDRESS,
    408: Meaning.SLOW,
    410: Meaning.ADDRESS,
    413: Meaning.TOO_LONG,
    429: Meaning.RATE,
    503: Meaning.BUSY,
    504: Meaning.SLOW,
    529: Meaning.BUSY,
}
_ABOUT_THE_REQUEST = range(400, 500)


def meaning(text: str, status: int | None) -> Meaning:
    """What an error is about: by its words if they are known, else by its status."""
    text = text[:_MOST_CHARACTERS].lower()
    for known, row in _ROWS:
        if row.search(text):
            return known
    if status is None:
        return Meaning.BROKEN
    return _STATUSES.get(status) or (Meaning.REQUEST if status in _ABOUT_THE_REQUEST else Meaning.BROKEN)
