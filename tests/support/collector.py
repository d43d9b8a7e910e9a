"""An OpenTelemetry collector for tests: takes traces over HTTP as protobuf, on a real socket. A context manager."""

import gzip
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

_PATIENCE_SECONDS = 30.0

Value = str | int | float | bool | list[str]


@dataclass(frozen=True, slots=True)
class Received:
    """A span."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Value]
    events: list[str]
    is_error: bool
    start_ns: int
    end_ns: int
    resource: dict[str, Value]


class Collector:
    """Its `url` is the value of `OTEL_EXPORTER_OTLP_ENDPOINT`."""

    def __init__(self, status: int = 200) -> None:
        """Answer with this status."""
        self.bodies: list[bytes] = []
        """As they came."""
        self.paths: list[str] = []
        self._news = threading.Condition()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                with collector._news:
                    collector.paths.append(self.path)
                    collector.bodies.append(body)
                    collector._news.notify_all()
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Listen."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self._server.shutdown()
        self._server.server_close()

    def spans(self) -> list[Received]:
        """All spans so far, in the order in which they ended."""
        found: list[Received] = []
        with self._news:
            bodies = list(self.bodies)
        for body in bodies:
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = {pair.key: _value(pair.value) for pair in group.resource.attributes}
                found += [
                    Received(
                        span.name,
                        span.kind,
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        {pair.key: _value(pair.value) for pair in span.attributes},
                        [event.name for event in span.events],
                        span.status.code == span.status.STATUS_CODE_ERROR,
                        span.start_time_unix_nano,
                        span.end_time_unix_nano,
                        resource,
                    )
                    for scope in group.scope_spans
                    for span in scope.spans
                ]
        return found

    def wait_for(self, wanted: Callable[[list[Received]], bool]) -> list[Received]:
        """All spans, when they are as `wanted`. Raises `AssertionError` with those that there are."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not wanted(spans := self.spans()):
            if time.monotonic() > deadline:
                raise AssertionError(spans)
            with self._news:
                self._news.wait(0.2)
        return spans


def _value(value: AnyValue) -> Value:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [each.string_value for each in value.array_value.values]
    found: Value = getattr(value, kind or "string_value")
    return found
