"""An engine, or an issuer, that can only be reached through a proxy; and those that must not be asked through one."""

import ssl
from pathlib import Path

import pytest

from app.environment.proxies import proxy_for
from tests.support.addresses import WHOLE
from tests.support.certificates import certificate, serving
from tests.support.completions import speaks
from tests.support.engine import FakeEngine, engine_beside
from tests.support.forward import ForwardProxy
from tests.support.issuer import AUDIENCE, NAME, Issuer, rsa_key
from tests.support.server import FROM_SCRATCH, LiveServer
from tests.support.wire import Answer, Wire, get, post

_ENGINE = "http://engine.test:8080/v1"
_PROXY = "http://proxy.test:3128"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{kind}_proxy", raising=False)
        monkeypatch.delenv(f"{kind.upper()}_PROXY", raising=False)


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        (_ENGINE, {}, None),
        (_ENGINE, {"HTTP_PROXY": _PROXY}, _PROXY),
        (_ENGINE, {"http_proxy": _PROXY, "HTTP_PROXY": "http://other.test"}, _PROXY),
        (_ENGINE, {"HTTPS_PROXY": _PROXY}, None),
        ("https://engine.test/v1", {"HTTPS_PROXY": f" {_PROXY}\n", "HTTP_PROXY": "http://other.test"}, _PROXY),
        (_ENGINE, {"ALL_PROXY": _PROXY}, _PROXY),
        (_ENGINE, {"HTTP_PROXY": ""}, None),
        (_ENGINE, {"HTTP_PROXY": "proxy.test:3128"}, _PROXY),
        ("http://localhost:8080/v1", {"ALL_PROXY": _PROXY}, None),
        ("http://127.8.8.8/v1", {"ALL_PROXY": _PROXY}, None),
        ("http://[::1]:8080/v1", {"ALL_PROXY": _PROXY}, None),
        ("http://engine.localhost/v1", {"ALL_PROXY": _PROXY}, None),
    ],
)
def test_the_proxy_is_found_as_other_clients_find_it(url: str, environment: dict[str, str], proxy: str | None) -> None:
    """And what runs on this machine is never asked through one."""
    assert proxy_for(url, environment) == proxy


@pytest.mark.parametrize(
    ("no_proxy", "is_excepted"),
    {
        "*": True,
        "engine.test": True,
        "ENGINE.test": True,
        "test": True,
        ".test": True,
        "*.test": True,
        "other.test, engine.test": True,
        "other.test engine.test": True,
        "engine.test:8080": True,
        "engine.test:8081": False,
        "gine.test": False,
        "other.engine.test": False,
        "10.0.0.0/8": False,
        ",": False,
        "": False,
    }.items(),
)
def test_exceptions_are_understood(no_proxy: str, is_excepted: bool) -> None:  # noqa: FBT001 - of a table
    """Names with their subdomains, with or without a dot in front; ports; and all."""
    environment = {"HTTP_PROXY": _PROXY, "NO_PROXY": no_proxy}
    assert (proxy_for(_ENGINE, environment) is None) is is_excepted


@pytest.mark.parametrize(
    ("no_proxy", "is_excepted"),
    {
        "10.1.2.3": True,
        "10.0.0.0/8": True,
        "10.1.2.3/8": True,
        "10.1.2.3:8080": True,
        "10.1.2.3:80": False,
        "10.1.2": False,
        "192.168.0.0/16": False,
    }.items(),
)
def test_exceptions_may_be_addresses_and_networks(no_proxy: str, is_excepted: bool) -> None:  # noqa: FBT001
    """As Kubernetes' users write them."""
    environment = {"HTTP_PROXY": _PROXY, "no_proxy": no_proxy}
    assert (proxy_for("http://10.1.2.3:8080/v1", environment) is None) is is_excepted


@pytest.mark.parametrize("text", ["socks5://proxy.test:1080", "http://:3128", "http://proxy.test:port", "http://[::1"])
def test_a_proxy_that_cannot_be_used_is_told_by_its_variable(text: str) -> None:
    """At the start, and not with the first reply."""
    with pytest.raises(ValueError, match=r"^HTTP_PROXY: .* Next: "):
        proxy_for(_ENGINE, {"HTTP_PROXY": text})


def _asked(server: LiveServer) -> Answer:
    with Wire(server.port) as wire:
        wire.send(post("hello", path=WHOLE))
        return wire.answer()


def test_an_engine_is_asked_through_the_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the proxy's credentials, which the engine does not get; and without those of `.netrc`."""
    (tmp_path / ".netrc").write_text("default login canary password canary\n", "utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    engine = FakeEngine(speaks("Hi ", "there!"), speaks("Hi ", "again!"))
    with engine_beside(engine), ForwardProxy("somebody:secret") as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://somebody:secret@127.0.0.1:{proxy.port}")
        url = engine.url.replace("127.0.0.1", "engine.test")
        with LiveServer("openai", openai_base_url=url, openai_model="small") as server:
            assert _asked(server).json()["text"] == "Hi there!"
            monkeypatch.setenv("NO_PROXY", "test")
            server.terminate()
            server.wait()
        (replies,) = (entry for entry in server.log_entries() if entry["event"] == "replies come from the bot")
        assert replies["proxy"] == f"127.0.0.1:{proxy.port}"
        assert "secret" not in server.log()
        with LiveServer("openai", openai_base_url=engine.url, openai_model="small") as server:
            assert _asked(server).json()["text"] == "Hi again!"
        assert proxy.asked == [f"POST {url}/chat/completions"]
    for exchange in engine.exchanges:
        assert "authorization" not in exchange.headers
        assert not [name for name in exchange.headers if name.startswith("proxy-")]


@pytest.mark.parametrize(
    ("status", "problem", "told"),
    [
        (407, "bot-misconfigured", "the proxy answered 407. Next: check HTTPS_PROXY or HTTP_PROXY and its password"),
        (403, "bot-misconfigured", "the proxy answered 403. Next: check HTTPS_PROXY or HTTP_PROXY"),
        (502, "bot-unavailable", "the proxy answered 502. Next: check HTTPS_PROXY or HTTP_PROXY"),
        (0, "bot-unavailable", "the proxy cannot be reached. Next: check HTTPS_PROXY or HTTP_PROXY"),
    ],
)
def test_a_proxy_that_refuses_is_not_taken_for_the_engine(
    status: int, problem: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is another setting that is wrong."""
    with ForwardProxy(status=status or 500) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port if status else 1}")
        with LiveServer("openai", openai_base_url="https://engine.test/v1", openai_model="small") as server:
            assert _asked(server).problem_code() == problem
            server.terminate()
            server.wait()
        assert told in server.log()


@pytest.fixture
def authority(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """What a server of `issuer.test` speaks TLS with, and a file that makes clients trust it."""
    files = certificate(tmp_path, "issuer.test", "127.0.0.1")
    return serving(files), files[0]


@pytest.mark.parametrize("is_trusted", [True, False])
def test_an_issuer_is_asked_through_a_tunnel(
    is_trusted: bool,  # noqa: FBT001 - of a table
    authority: tuple[ssl.SSLContext, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The proxy learns the host and nothing else; a certificate that is not trusted is reported as without a proxy."""
    context, file = authority
    with Issuer(rsa_key(), context=context) as issuer, ForwardProxy("somebody:a secret") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://somebody:a%20secret@127.0.0.1:{proxy.port}")
        if is_trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(file))
        url = f"https://issuer.test:{issuer.port}/keys"
        with (
            LiveServer(program=FROM_SCRATCH, jwt_issuer=NAME, jwt_audience=AUDIENCE, jwt_keys_url=url) as server,
            Wire(server.port) as wire,
        ):
            wire.send(get("/api/conversations", {"Authorization": f"Bearer {rsa_key().token()}"}))
            assert wire.answer().status == (200 if is_trusted else 503)
        assert set(proxy.asked) == {f"CONNECT issuer.test:{issuer.port}"}
    if not is_trusted:
        assert "its certificate is not trusted. Next: " in server.log()
