"""Tries one law after another, each in its share of the time, and evaluates the outcome.

Owns the list of laws. Distinguishes a deployment that breaks the contract from one that is gone: when a law fails, it
first checks whether the service still answers.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

import httpx

from chat_verify.findings import Broken, Finding, Law, Report, Unreachable, Unseen, Verdict
from chat_verify.laws.addressing import addresses, head
from chat_verify.laws.admitting import access, isolation
from chat_verify.laws.arriving import begin_silence, keep_alive, silence_seconds, streaming
from chat_verify.laws.browsing import browser
from chat_verify.laws.cutting import resume
from chat_verify.laws.fuzzing import document, ready, started
from chat_verify.laws.refusing import statuses
from chat_verify.laws.repeating import idempotency
from chat_verify.laws.retrying import retries
from chat_verify.laws.saying import grammar, probe, text
from chat_verify.laws.stopping import cancel
from chat_verify.reaching import knock, reach
from chat_verify.target import Place, Target
from chat_verify.visit import Visit

HOLDS: Mapping[Law, Callable[[Visit], Awaitable[None]]] = {
    Law("grammar", "every stream is words and one end, and its ids count from 1 without gaps", 4): grammar,
    Law("text", "words, done, JSON and the stored message have the same text", 3): text,
    Law("streaming", "words arrive as they are generated, neither buffered nor compressed", 4): streaming,
    Law("resume", "a stream that is cut anywhere is complete when it is resumed", 6): resume,
    Law("cancel", "cancelReply stops a reply at once, and keeps what was said", 3): cancel,
    Law("idempotency", "the same key and message get the same reply, generated once", 3): idempotency,
    Law("retries", "a request repeated until it succeeds leaves one message and one reply", 3): retries,
    Law("addresses", "the addresses in responses and documents lead there, also below a path", 2): addresses,
    Law("head", "HEAD is answered as GET is, without a body", 1): head,
    Law("browser", "a page of the deployment may act, a page of another site may not", 1): browser,
    Law("statuses", "every status is documented, every error is a problem", 3): statuses,
    Law("access", "where there are keys, nobody gets in without a valid one", 1): access,
    Law("isolation", "what is another's is as if it did not exist", 2): isolation,
    Law("document", "every response to made-up requests is as openapi.yaml says", 12): document,
    Law("keep-alive", "a silent stream has comments", 1): keep_alive,
}
"""The function that tries each law: it returns if the law holds, and raises `Broken` or `Unseen`."""

LAWS = tuple(HOLDS)
CLEANING_SHARE = 0.08
CLEANING_SECONDS = 70.0
"""More than a minute, because some deployments limit requests per minute. Others take only a moment."""


@dataclass(frozen=True, slots=True)
class Options:
    place: Place
    seed: int
    seconds: float = 60.0
    messages_per_second: float = 5.0
    heartbeat_seconds: float = 15.0
    max_examples: int | None = None
    """How many requests the fuzzer generates per operation; 0: only the document's examples; `None`: as time allows."""
    laws: Sequence[str] = ()
    """Only these; all if empty."""


async def verify(options: Options, say: Callable[[str], None]) -> Report:
    """Try the laws. On cancellation, return the findings so far."""
    laws = [law for law in LAWS if law.name in options.laws or not options.laws]
    report = Report(options.place.url, options.seed, {law.name: Finding(law) for law in laws})
    began = monotonic()

    def tell(line: str) -> None:
        say(f"{monotonic() - began:4.0f} s  {line}")

    is_wanted = any(law.name == "document" for law in laws)
    async with (
        Target(options.place, options.messages_per_second, tell) as target,
        started(is_wanted=is_wanted) as fuzzer,
    ):
        visit = Visit(target, options.seed, options.heartbeat_seconds, tell, fuzzer, options.max_examples)
        end = began + options.seconds * (1 - CLEANING_SHARE)
        try:
            await reach(target, report)
            tell(f"{options.place.url} is up")
            await _try_all(visit, laws, report, end)
        except Unreachable as gone:
            report.unreachable = str(gone)
        except asyncio.CancelledError:  # by Ctrl-C: return a report of the findings so far
            report.interrupted = True
            tell("interrupted: cleaning up")
        finally:
            await _leave(visit, report)
            _see_anything(report)
        report.messages, report.requests, report.hops = target.messages, target.requests, target.hops
    report.seconds = monotonic() - began
    return report


async def _try_all(visit: Visit, laws: Sequence[Law], report: Report, end: float) -> None:
    await _learn_about(visit, laws, report, end)
    for number, law in enumerate(laws):
        finding = report.findings[law.name]
        if law.name == "document":
            end += await ready(visit.fuzzer)
        now, weights = monotonic(), sum(other.weight for other in laws[number:])
        share = (end - now) * law.weight / weights
        if law.name == "keep-alive":
            share = end - now
        visit.finding, visit.target.deadline = finding, now + max(share, 0.0)
        visit.say(f"{law.name}: {law.meaning}")
        await _try_twice(visit, finding, report)
        finding.seconds = monotonic() - now
        visit.say(f"{law.name}: {finding.verdict.value}{f', {finding.why}' if finding.why else ''}")


def _see_anything(report: Report) -> None:
    """If no law could be seen, count the deployment as unreachable."""
    verdicts = {name: finding.verdict for name, finding in report.findings.items()}
    if report.unreachable or report.interrupted or Verdict.BROKEN in verdicts.values():
        return
    if verdicts.get("grammar") is Verdict.UNSEEN:
        report.unreachable = f"it gave no reply: {report.findings['grammar'].why}"
    elif Verdict.HELD not in verdicts.values():
        report.is_blind, report.unreachable = True, "none of the laws could be seen"


async def _learn_about(visit: Visit, laws: Sequence[Law], report: Report, end: float) -> None:
    """Find out whether the bot obeys `/simulate`."""
    visit.finding = report.findings[laws[0].name]
    visit.target.deadline = monotonic() + max(0.0, (end - monotonic()) / 4)
    try:
        async with asyncio.timeout(visit.seconds_left()):
            await probe(visit)
    except Broken as breach:
        await knock(visit.target)
        _blame(breach, visit.finding, report)
    except (Unseen, TimeoutError, httpx.TransportError):
        await knock(visit.target)
    report.about.append("a bot that obeys /simulate" if visit.simulates else "a bot that does not obey /simulate")
    wants = any(law.name == "keep-alive" for law in laws)
    if wants and visit.simulates and monotonic() + silence_seconds(visit) + 1 < end:
        begin_silence(visit)


async def _try_twice(visit: Visit, finding: Finding, report: Report) -> None:
    """Retry once if a connection was lost although the deployment is up: that may happen once."""
    for is_last in (False, True):
        try:
            await _try(visit, finding, report)
        except httpx.TransportError as error:
            await knock(visit.target)
            if is_last:
                came = f"the connection was lost twice in the middle of a response: {error}"
                finding.broken(Broken("the same request", came, "a response is sent completely"))
                return
        else:
            return


async def _try(visit: Visit, finding: Finding, report: Report) -> None:
    try:
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + visit.seconds_left()):
            await _hold(finding.law, visit)
        breaches, finding.breaches = finding.breaches, []
        if breaches:
            await knock(visit.target)
        for breach in breaches:
            _blame(breach, finding, report)
        finding.held()
    except TimeoutError:
        if finding.tried:
            finding.notes.append("as far as time allowed")
            finding.held()
        else:
            finding.unseen("its time was over before anything could be judged. Next: raise --seconds")
    except Unseen as unseen:
        finding.unseen(str(unseen))
    except Unreachable:
        await knock(visit.target)  # raises with the reason if it is gone
        finding.unseen("the connection was lost repeatedly, although the service answers")
    except Broken as breach:
        await knock(visit.target)
        _blame(breach, finding, report)
    finally:
        visit.target.gives_keys = True


async def _hold(law: Law, visit: Visit) -> None:
    try:
        await HOLDS[law](visit)
    except ExceptionGroup as group:  # from a law with concurrent requests: the first one is enough
        raise group.exceptions[0] from None


def _blame(breach: Broken, finding: Finding, report: Report) -> None:
    """Assign a breach to its law."""
    breach.seen_by = finding.law.name
    blamed = report.findings.get(breach.law or finding.law.name, finding)
    if all(breach.came != known.came for known in blamed.breaches):
        blamed.broken(breach)
    if blamed is not finding:
        finding.unseen(f"the law {blamed.law.name} was broken first")


async def _leave(visit: Visit, report: Report) -> None:
    """Clean up as far as possible."""
    if visit.silence:
        visit.silence.cancel()
        await asyncio.gather(visit.silence, return_exceptions=True)
    target = visit.target
    report.about += [f"waited for 429: {len(target.waited)}"] if target.waited else []
    if report.unreachable:
        report.about += [f"left {len(target.made)} conversations behind"] if target.made else []
        return
    target.deadline = monotonic() + CLEANING_SECONDS - 1
    left = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLEANING_SECONDS):
            left = await target.forget()
    left += len(target.made)
    report.about.append(f"could not delete {left} of its conversations" if left else "deleted its conversations")
