"""Proxies without a file in docs/deploy: what they do to streams, as the table there says."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy.asking import STALLS, begun, curl_after_the_death_of, ends_after_the_death_of
from tests.deploy.proxies import Proxy, started
from tests.support.server import LiveServer
from tests.support.wire import Wire, post

_LIGHTTPD = """
server.document-root = "{place}"
server.bind = "127.0.0.1"
server.port = {port}
server.modules = ("mod_proxy")
proxy.server = ("" => (("host" => "127.0.0.1", "port" => {inside})))
"""
_AS_IT_COMES = "server.stream-response-body = 1\n"
_H2O = """
hosts:
  default:
    listen: {{host: 127.0.0.1, port: {port}}}
    paths:
      /:
        proxy.reverse.url: http://127.0.0.1:{inside}/
"""
_VARNISH = """
vcl 4.0;
backend default {{ .host = "127.0.0.1"; .port = "{inside}"; }}
sub vcl_recv {{ return (pass); }}
"""


@contextmanager
def _running(name: str, inside: int, template: str) -> Iterator[Proxy]:
    def prepared(program: str, port: int, place: Path) -> list[str]:
        file = place / "configuration"
        file.write_text(template.format(port=port, inside=inside, place=place), "utf-8")
        match name:
            case "lighttpd":
                return [program, "-D", "-f", str(file)]
            case "h2o":
                return [program, "-c", str(file)]
            case _:
                options = ["-n", str(place / "work"), "-p", "feature=+http2", "-j", "none"]
                return [program, "-F", "-a", f"127.0.0.1:{port}", "-f", str(file), *options]

    with started(name, {"varnish": "varnishd"}.get(name, name), prepared) as proxy:
        yield proxy


def test_lighttpd_holds_everything_back_by_default() -> None:
    """With its setting it does not."""
    with LiveServer("simulator", heartbeat_seconds=0.3) as server:
        with _running("lighttpd", server.port, _LIGHTTPD) as proxy, Wire(proxy.port) as wire:
            wire.send(post(STALLS))
            assert wire.is_quiet_for(1.5)
        with _running("lighttpd", server.port, _LIGHTTPD + _AS_IT_COMES) as proxy, Wire(proxy.port) as wire:
            begun(wire)


def test_h2o_makes_a_clean_end_of_the_death_of_the_service() -> None:
    """Over HTTP/1.1 already."""
    with LiveServer("simulator") as server, _running("h2o", server.port, _H2O) as proxy:
        assert ends_after_the_death_of(server, proxy) == "clean"


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
def test_varnish_makes_a_clean_end_of_it_over_http_2(version: str) -> None:
    """Over HTTP/1.1 it does not."""
    options = ["--http2-prior-knowledge"] if version == "HTTP/2" else []
    with LiveServer("simulator") as server, _running("varnish", server.port, _VARNISH) as proxy:
        assert curl_after_the_death_of(server, proxy.url, *options) == (version, version == "HTTP/2")
