"""Traces for OpenTelemetry: one span a reply, the requests to its engine below it. The one module that knows the SDK.

Names are those of the semantic conventions for generative AI as they are today. They have been renamed before, so
`OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai/dup` adds the old names. No span has a text of a user, a model or an error.
"""

import asyncio
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self
from uuid import uuid4

from opentelemetry import context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode, format_trace_id, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.chat.stored import ReplyRecord
from app.chat.watching import Ending, UpstreamCall, UpstreamOutcome

_NAME = "chat-backend"
_SHUTDOWN_SECONDS = 3.0
"""So long the end of the service may wait for a collector that does not answer."""

_FAILED = {"failed", "interrupted"}

_OPT_IN = "OTEL_SEMCONV_STABILITY_OPT_IN"
_BOTH_NAMES = "gen_ai/dup"
_OLD_NAMES = {
    "gen_ai.provider.name": "gen_ai.system",
    "gen_ai.usage.input_tokens": "gen_ai.usage.prompt_tokens",
    "gen_ai.usage.output_tokens": "gen_ai.usage.completion_tokens",
}

Attributes = Mapping[str, str | int | float | bool | list[str]]


class Traces:
    """`ReplyObserver` and `UpstreamObserver`. An async context manager: at its end, what is left is sent."""

    def __init__(self, bot: str, version: str) -> None:
        """The SDK reads `OTEL_...` from the environment: where to send spans, which to sample, what to call us.

        Raises `ValueError` for values that it does not understand, or would print although they may be secrets.
        """
        _check_headers()
        self._bot = bot
        ours = {"service.version": version, "service.instance.id": str(uuid4())}
        if not os.environ.get("OTEL_SERVICE_NAME"):
            ours["service.name"] = _NAME
        self._provider = TracerProvider(resource=Resource.create(ours), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(_NAME, version)
        self._propagator = TraceContextTextMapPropagator()
        self._adds_old_names = _BOTH_NAMES in os.environ.get(_OPT_IN, "").replace(" ", "").split(",")
        self._replies: dict[str, Span] = {}
        self._calls: dict[UpstreamCall, Span] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send what is left, if the collector takes it in time."""
        sent = asyncio.Event()
        loop = asyncio.get_running_loop()

        def shut_down() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # nobody waits any more
                loop.call_soon_threadsafe(sent.set)

        threading.Thread(target=shut_down, name="the last spans", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(_SHUTDOWN_SECONDS):
                await sent.wait()

    def began(self, record: ReplyRecord) -> None:
        """See `ReplyObserver`. What the bot does from now on, in the same task, is part of the reply."""
        span = self._tracer.start_span(
            "reply",
            self._parent(record),
            SpanKind.SERVER,
            {
                "chat.bot": self._bot,
                "chat.reply.id": record.reply_id,
                "gen_ai.conversation.id": record.conversation_id,
            },
            start_time=record.created_ms * 1_000_000,
        )
        context.attach(set_span_in_context(span))  # for this task, which ends with the reply
        if isinstance(span, Span):  # else it is not sampled
            self._replies[record.reply_id] = span
            record.trace_id = format_trace_id(span.get_span_context().trace_id)

    def first_word(self, record: ReplyRecord, seconds: float) -> None:
        """See `ReplyObserver`."""
        if (span := self._replies.get(record.reply_id)) is not None:
            span.add_event("first word", {"chat.first_word.seconds": seconds})

    def ended(self, record: ReplyRecord, ending: Ending) -> None:
        """See `ReplyObserver`."""
        span = self._replies.pop(record.reply_id, None)
        if span is None:
            return
        span.set_attributes({"chat.outcome": ending.outcome, "chat.words": ending.words})
        if ending.error is not None:
            span.set_attribute("error.type", ending.error.code)
        if ending.outcome in _FAILED:
            span.set_status(StatusCode.ERROR)
        span.end()

    def call_began(self, call: UpstreamCall) -> Mapping[str, str]:
        """See `UpstreamObserver`."""
        attributes: dict[str, str | int | float | bool] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.stream": True,
            "server.address": call.host,
        }
        more = {
            "server.port": call.port,
            "gen_ai.request.model": call.model,
            "gen_ai.request.max_tokens": call.max_tokens,
            "gen_ai.request.temperature": call.temperature,
        }
        attributes |= {name: value for name, value in more.items() if value is not None}
        name = f"chat {call.model}" if call.model else "chat"
        span = self._tracer.start_span(name, None, SpanKind.CLIENT, self._named(attributes))
        headers: dict[str, str] = {}
        self._propagator.inject(headers, set_span_in_context(span))
        if isinstance(span, Span):
            self._calls[call] = span
        return headers

    def call_ended(self, call: UpstreamCall, outcome: UpstreamOutcome) -> None:
        """See `UpstreamObserver`."""
        span = self._calls.pop(call, None)
        if span is None:
            return
        attributes: dict[str, str | int | float | bool | list[str]] = {}
        if call.first_text_seconds is not None:
            attributes["gen_ai.response.time_to_first_chunk"] = call.first_text_seconds
        if call.finish_reason is not None:
            attributes["gen_ai.response.finish_reasons"] = [call.finish_reason]
        if call.usage is not None:
            attributes["gen_ai.usage.input_tokens"] = call.usage.prompt_tokens
            attributes["gen_ai.usage.output_tokens"] = call.usage.completion_tokens
        if outcome == "failed":
            attributes["error.type"] = call.error_code or "_OTHER"
            span.set_status(StatusCode.ERROR)
        elif outcome == "cancelled":
            attributes["error.type"] = "cancelled"
        span.set_attributes(self._named(attributes))
        span.end()

    def _parent(self, record: ReplyRecord) -> context.Context:
        """That of the request that has started the reply, or none."""
        origin = record.origin
        headers = {}
        if origin is not None and origin.trace_parent is not None:
            headers = {"traceparent": origin.trace_parent, "tracestate": origin.trace_state or ""}
        return self._propagator.extract(headers, context.Context())

    def _named(self, attributes: Attributes) -> Attributes:
        """With the names of before, if somebody still needs them."""
        if not self._adds_old_names:
            return attributes
        return dict(attributes) | {old: attributes[new] for new, old in _OLD_NAMES.items() if new in attributes}


def _check_headers() -> None:
    """The SDK logs what is not of this form."""
    for name in ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"):
        if any("=" not in part for part in os.environ.get(name, "").split(",") if part.strip()):
            msg = f"{name} is a list of NAME=VALUE"
            raise ValueError(msg)
