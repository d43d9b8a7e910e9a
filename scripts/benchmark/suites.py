"""What `scripts/bench` can run: suites of scenarios with their servers, selected by name."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .earlier import with_earlier
from .gateway import GATEWAY_SCENARIOS, gateways
from .knee import KNEE_SCENARIOS
from .measuring import Scenario
from .protocols import PROTOCOL_SCENARIOS, protocol_servers
from .scenarios import SCENARIOS
from .servers import Server, servers
from .sharing import SHARING_SCENARIOS, sharing_servers
from .workers import WORKER_SCENARIOS, worker_servers


@dataclass(frozen=True, slots=True)
class Suite:
    name: str
    scenarios: Sequence[Scenario]
    servers: Sequence[Server]

    def names(self) -> list[str]:
        return [self.name, *(scenario.name for scenario in self.scenarios), *(server.name for server in self.servers)]

    def named_scenarios(self, names: Collection[str]) -> list[Scenario]:
        return [scenario for scenario in self.scenarios if scenario.name in names]

    def named_servers(self, names: Collection[str]) -> list[Server]:
        return [server for server in self.servers if server.name in names]

    def part(self, names: Collection[str], *, quick: bool) -> "Suite":
        """The named parts of it, or all; with `quick`, only servers that have targets unless named."""
        servers = self.named_servers(names) or [server for server in self.servers if server.judged or not quick]
        return replace(self, scenarios=self.named_scenarios(names) or self.scenarios, servers=servers)

    def titles(self) -> dict[str, str]:
        return {server.name: server.title for server in self.servers}


def suites(litellm: str | None = None, earlier: Path | None = None) -> list[Suite]:
    """All suites; `litellm` is the proxy's executable, which is otherwise looked up on PATH.

    `earlier` is the folder of another commit of this service, to be compared with it.
    """
    peers, proxies = servers(), gateways(litellm)
    if earlier:
        peers, proxies = with_earlier(peers, earlier), with_earlier(proxies, earlier)
    return [
        Suite("peers", SCENARIOS, peers),
        Suite("crowds", KNEE_SCENARIOS, [server for server in peers if server.judged]),
        Suite("gateway", GATEWAY_SCENARIOS, proxies),
        Suite("protocols", PROTOCOL_SCENARIOS, protocol_servers()),
        Suite("workers", WORKER_SCENARIOS, worker_servers()),
        Suite("sharing", SHARING_SCENARIOS, sharing_servers()),
    ]


def chosen(known: Sequence[Suite], names: Collection[str], *, quick: bool) -> list[Suite]:
    """Everything if no name is given; a suite or scenario with all its servers; a server with all its scenarios."""
    by_scenario = [suite for suite in known if suite.name in names or suite.named_scenarios(names)]
    by_server = [suite for suite in known if suite.named_servers(names)]
    return [suite.part(names, quick=quick) for suite in by_scenario or by_server or known]
