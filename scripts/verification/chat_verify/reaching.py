"""Checks whether there is a service to verify. If it cannot be reached, says why, and what to do next."""

# ruff: noqa: PLR2004 - a status is best known by its number

import asyncio
import socket
import ssl
from collections.abc import Iterator

import httpx

from chat_verify import hops
from chat_verify.contract import VERSION
from chat_verify.exchange import Request, get
from chat_verify.findings import Broken, Report, Unreachable, Unseen
from chat_verify.target import NOBODY, OTHER, OWNER, Target

_PATIENCE_SECONDS = 15.0
_HEALTH = {"status": "success", "message": "The server is up and running."}.items()


async def reach(target: Target, report: Report) -> None:
    """Check that the service is up, ready and open to the keys. Raises `Unreachable`."""
    await knock(target)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await _is_ready(target)
            await _opens(target)
            await _which(target, report)
    except TimeoutError:
        raise Unreachable(f"{target.place.url} is up, but does not answer within {_PATIENCE_SECONDS:g} s") from None
    except httpx.TransportError as error:
        raise Unreachable(_why(target.place.url, error)) from error


async def knock(target: Target) -> None:
    """Check that there is a service at the URL, and that it is this one. Raises `Unreachable`."""
    url = target.place.url
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            response = await _asked(target, get("/api/health"))
    except TimeoutError:
        raise Unreachable(f"{url} does not answer within {_PATIENCE_SECONDS:g} s") from None
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise Unreachable(_why(url, error)) from error
    told = f"GET {url}/api/health gets {response.status_code} {response.headers.get('content-type', '')}".rstrip()
    if 300 <= response.status_code < 400:
        raise Unreachable(f"{told}, to {response.headers.get('location')}. Next: verify that URL instead")
    if response.status_code in {401, 403}:
        raise Unreachable(f"{told}: a proxy in front of the service requires credentials, even for its health")
    if response.status_code == 421:
        raise Unreachable(f"{told}: it does not serve this host (CHAT_ALLOWED_HOSTS)")
    if response.status_code in {502, 503, 504}:
        if hops.is_of_a_hop(response.status_code, response.headers):
            told = hops.told(response.status_code, response.headers)
        raise Unreachable(f"{told}: a proxy in front of the service does not reach it")
    said = _json(response)
    if response.status_code != 200 or not isinstance(said, dict) or not said.items() >= _HEALTH:
        raise Unreachable(f"{told}: another server, or another path. Next: check the URL, including its path")


async def _is_ready(target: Target) -> None:
    response = await _asked(target, get("/api/ready"))
    if response.status_code == 503:
        told = _json(response)
        detail = told.get("detail", "") if isinstance(told, dict) else ""
        raise Unreachable(f"{target.place.url} is up, but not ready (503). {detail}".rstrip())


async def _opens(target: Target) -> None:
    """Check whether the keys are accepted, and whether one is required."""
    place = target.place
    for who, flag in ((OWNER, "--key"), (OTHER, "--other-key")):
        if who == OTHER and not place.other_key:
            continue
        status = 0
        try:
            status = (await target.ask(get("/api/conversations?limit=1"), who)).status
        except (Broken, Unseen):
            continue  # the laws will report it
        if status == 401 and who == OWNER and not place.key:
            raise Unreachable(f"{place.url} requires a key (401). Next: give one with --key, or in VERIFY_KEY")
        if status == 401:
            raise Unreachable(f"{place.url} does not accept the key of {flag} (401): unknown, expired or revoked")
        if status == 503:
            raise Unreachable(f"{place.url} is up, but cannot access its conversations (503)")


async def _which(target: Target, report: Report) -> None:
    """Compare the versions of the contract, if the deployment serves its own."""
    response = await _asked(target, get("/openapi.json"))
    told = _json(response) if response.status_code == 200 else None
    report.about.append(f"contract {VERSION}")
    if isinstance(told, dict) and isinstance(told.get("info"), dict):
        its = told["info"].get("version")
        target.same_version = its == VERSION
        if not target.same_version:
            report.about[-1] += f", but the deployment has {its}"


async def _asked(target: Target, request: Request) -> httpx.Response:
    """The response, unchecked: anything may have sent it."""
    async with target.raw(request, NOBODY) as response:
        await response.aread()
        return response


def _json(response: httpx.Response) -> object:
    try:
        return response.json()
    except ValueError:
        return None


def _why(url: str, error: Exception) -> str:
    causes = list(_causes(error))
    text = " ".join(str(cause) for cause in causes)
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes) or "CERTIFICATE_VERIFY" in text:
        return f"{url} has a certificate that is not trusted: {error}. Next: --ca FILE, if you have your own authority"
    if any(isinstance(cause, ssl.SSLError) for cause in causes) or "[SSL" in text:
        return f"{url} does not speak TLS: {error}. Next: check the scheme (http://?) and the port"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return f"{url}: there is no such host: {error}"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes) or "connection attempts failed" in text:
        return f"{url}: nothing listens there: {error}"
    if isinstance(error, httpx.RemoteProtocolError):
        return f"{url} does not speak HTTP: {error}. Next: check the scheme (https://?) and the port"
    return f"{url} cannot be reached: {str(error) or type(error).__name__}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: list[BaseException] = [error]
    for cause in found:
        following = [cause.__cause__, cause.__context__, *getattr(cause, "exceptions", ())]
        found += [other for other in following if other is not None and other not in found]
    yield from found
