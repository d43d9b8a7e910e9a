"""With the lines for TLS in the configurations, and what HTTP/2 changes there."""

from pathlib import Path

import pytest

from tests.deploy.asking import curl_after_the_death_of
from tests.deploy.proxies import NAMES, Changes, running
from tests.support.certificates import certificate
from tests.support.server import LiveServer


@pytest.mark.parametrize("name", NAMES)
def test_words_come_over_tls_and_the_death_of_the_service_is_seen_as_a_cut(name: str, tmp_path: Path) -> None:
    """HAProxy speaks HTTP/1.1 with TLS, the others HTTP/2."""
    version, ended_well = _stream(name, tmp_path, {})
    assert version == ("HTTP/1.1" if name == "haproxy" else "HTTP/2")
    assert not ended_well


def test_haproxy_makes_a_clean_end_of_it_over_http_2(tmp_path: Path) -> None:
    """So its line says `alpn http/1.1`, and clients look for the end in the stream itself."""
    assert _stream("haproxy", tmp_path, {"alpn http/1.1": "alpn h2"}) == ("HTTP/2", True)


def _stream(name: str, folder: Path, changes: Changes) -> tuple[str, bool]:
    crt, key = certificate(folder, "127.0.0.1")
    with LiveServer("simulator") as server, running(name, server.port, {**_lines(name, crt, key), **changes}) as proxy:
        return curl_after_the_death_of(server, f"https://127.0.0.1:{proxy.port}", "--cacert", str(crt))


def _lines(name: str, crt: Path, key: Path) -> dict[str, str]:
    match name:
        case "nginx":
            return {
                "# listen 443 ssl http2": "listen 127.0.0.1:PORT ssl http2",
                "listen 127.0.0.1:PORT;": "",
                "# ssl_certificate /etc/ssl/chat.crt": f"ssl_certificate {crt}",
                "# ssl_certificate_key /etc/ssl/chat.key": f"ssl_certificate_key {key}",
            }
        case "caddy":
            return {"http://:PORT {": f"https://127.0.0.1:PORT {{\n\ttls {crt} {key}"}
        case "haproxy":
            pem = crt.with_suffix(".pem")
            pem.write_bytes(crt.read_bytes() + key.read_bytes())
            return {
                "bind 127.0.0.1:PORT": "",
                "# bind :443 ssl crt /etc/ssl/chat.pem": f"bind 127.0.0.1:PORT ssl crt {pem}",
            }
        case _:
            return {
                "# Protocols": "Protocols",
                "# SSLEngine": "SSLEngine",
                "# SSLCertificateFile /etc/ssl/chat.crt": f"SSLCertificateFile {crt}",
                "# SSLCertificateKeyFile /etc/ssl/chat.key": f"SSLCertificateKeyFile {key}",
            }
