"""The files of docs/deploy agree with the service: on settings, port, probes, and the time that a drain takes."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.environment.variables import PREFIX
from app.serving import CLOSING_SECONDS
from app.settings import Settings
from app.telemetry.table import families
from tests.contract.document import PLACES
from tests.deploy.image import ROOT, read
from tests.deploy.proxies import FILES

_SPARE_SECONDS = 5
"""For closing the database."""
_DEFAULTS = Settings()
_NEEDED_SECONDS = _DEFAULTS.drain_seconds + CLOSING_SECONDS + _SPARE_SECONDS
_COMPOSE: Any = yaml.safe_load((FILES / "compose.yaml").read_text("utf-8"))
_KUBERNETES: dict[str, Any] = {
    each["kind"]: each for each in yaml.safe_load_all((FILES / "kubernetes.yaml").read_text("utf-8"))
}
_POD = _KUBERNETES["Deployment"]["spec"]["template"]["spec"]
_UNIT = (FILES / "chat.service").read_text("utf-8")


@pytest.mark.parametrize("path", sorted(FILES.iterdir()), ids=lambda path: path.name)
def test_every_setting_that_is_named_exists(path: Path) -> None:
    """In all files."""
    names = re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]\b", path.read_text("utf-8"))
    assert {name.removeprefix(PREFIX).removesuffix("_FILE").lower() for name in names} <= Settings.model_fields.keys()


def test_nothing_kills_it_before_its_drain_has_ended() -> None:
    """Neither Docker nor Kubernetes nor systemd."""
    pause = _POD["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert _POD["terminationGracePeriodSeconds"] >= pause + _NEEDED_SECONDS
    assert int(_COMPOSE["x-chat"]["stop_grace_period"].removesuffix("s")) >= _NEEDED_SECONDS
    assert int(re.findall(r"^TimeoutStopSec=(\d+)$", _UNIT, re.MULTILINE)[0]) >= _NEEDED_SECONDS
    assert "KillMode=mixed\n" in _UNIT
    assert read().stop_signal == "SIGTERM"


def test_the_probes_ask_what_the_contract_has() -> None:
    """On the service's port."""
    container = _POD["containers"][0]
    port, metrics = container["ports"]
    assert port["containerPort"] == _DEFAULTS.port
    (named,) = (variable["value"] for variable in container["env"] if variable["name"] == "CHAT_METRICS_PORT")
    annotations = _KUBERNETES["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert {str(metrics["containerPort"]), annotations["prometheus.io/port"]} == {named}
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    paths = {name: probe["path"] for name, probe in probes.items()}
    health, ready = PLACES["getHealth"][1], PLACES["getReadiness"][1]
    assert paths == {"startup": health, "liveness": health, "readiness": ready}
    assert read().health[-1].count(f":{_DEFAULTS.port}{health}") == 1
    assert f"health_uri {ready}\n" in (FILES / "cluster.Caddyfile").read_text("utf-8")
    assert f"ListenStream=127.0.0.1:{_DEFAULTS.port}\n" in (FILES / "chat.socket").read_text("utf-8")


def test_the_metrics_have_a_port_that_only_prometheus_finds() -> None:
    """The settings, the container and the annotations name the same one, and no Service leads there."""
    container = _POD["containers"][0]
    settings = {setting["name"]: setting.get("value") for setting in container["env"]}
    _, port = container["ports"]
    found = re.findall(r'prometheus\.io/port: "(\d+)"', _text("kubernetes.yaml"))
    assert [settings["CHAT_METRICS_PORT"]] == found == [str(port["containerPort"])]
    assert settings["CHAT_METRICS_HOST"] == "0.0.0.0"  # noqa: S104 - a pod's
    assert f"targetPort: {port['name']}" not in _text("kubernetes.yaml")
    assert "chat_streams_open" in _text("kubernetes.yaml")


def test_the_proxies_wait_for_a_whole_reply() -> None:
    """And a bit longer."""
    for name in ("nginx.conf", "haproxy.cfg", "apache.conf"):
        limits = re.findall(r"(?:read_timeout|timeout server|timeout client|ProxyTimeout) (\d+)", _text(name))
        assert limits
        assert all(int(limit) > _DEFAULTS.reply_seconds for limit in limits)


def test_what_belongs_together_in_kubernetes_finds_each_other() -> None:
    """By labels and names."""
    deployment = _KUBERNETES["Deployment"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selectors = [
        deployment["spec"]["selector"]["matchLabels"],
        _KUBERNETES["Service"]["spec"]["selector"],
        _KUBERNETES["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ]
    assert all(selector == labels for selector in selectors)
    scaler = _KUBERNETES["HorizontalPodAutoscaler"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert scaler["metrics"][0]["pods"]["metric"]["name"] in {family.name for family in families("greeter", {})}
    assert scaler["minReplicas"] > _KUBERNETES["PodDisruptionBudget"]["spec"]["maxUnavailable"]
    assert int(scaler["metrics"][0]["pods"]["target"]["averageValue"]) < _DEFAULTS.max_open_streams


def test_the_containers_have_no_rights_that_they_do_not_need() -> None:
    """The same user as in the image."""
    file, container = read(), _POD["containers"][0]
    assert _POD["enableServiceLinks"] is False
    assert (_POD["securityContext"]["runAsUser"], _POD["securityContext"]["runAsGroup"]) == (file.user, file.group)
    assert _POD["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert _COMPOSE["x-chat"]["read_only"]
    assert _COMPOSE["x-chat"]["cap_drop"] == ["ALL"]


def test_the_compose_file_has_all_that_it_names() -> None:
    """Files, volumes and services; each instance in front of which Caddy is."""
    services = _COMPOSE["services"]
    instances = [name for name, service in services.items() if service == _COMPOSE["x-chat"]]
    named = services["caddy"]["environment"]["INSTANCES"].split()
    assert named == [f"{name}:{_DEFAULTS.port}" for name in instances]
    assert len(instances) == 2
    build = _COMPOSE["x-chat"]["build"]
    assert (FILES / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()
    for source in _volumes():
        assert (FILES / source).is_file() if source.startswith("./") else source in _COMPOSE["volumes"]
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()


def test_the_image_has_all_that_is_needed() -> None:
    """The context leaves out nothing that is copied; only hashed packages are installed."""
    text = (FILES / "Dockerfile").read_text("utf-8")
    ignored = (FILES / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    sources = [source for source, _ in re.findall(r"^COPY (?!--)(\S+) (\S+)$", text, re.MULTILINE)]
    assert {f"!{source}" for source in sources} == {line for line in ignored if line.startswith("!")}
    assert "--require-hashes" in text
    assert all("--hash=sha256:" in package for package in _packages())


def test_the_dockerfile_passes_its_linter() -> None:
    """Hadolint."""
    assert _said("hadolint", str(FILES / "Dockerfile")) == ""


def test_the_manifests_pass_their_validator() -> None:
    """kubernetes-validate, with the schemas that it brings."""
    said = _said("kubernetes-validate", str(FILES / "kubernetes.yaml"))
    assert said.count(" passed for resource ") == len(_KUBERNETES)


def test_the_units_pass_their_verifier(tmp_path: Path) -> None:
    """systemd-analyze, with the project in another place; it finds the sandbox good."""
    for name in ("chat.service", "chat.socket"):
        (tmp_path / name).write_text(_text(name).replace("/opt/chat", str(ROOT)), "utf-8")
    units = [str(tmp_path / name) for name in ("chat.service", "chat.socket")]
    assert _said("systemd-analyze", "verify", *units) == ""
    found = re.search(
        r"exposure level for chat\.service: ([0-9.]+)", _said("systemd-analyze", "security", "--offline=yes", units[0])
    )
    assert found is not None
    assert float(found[1]) < 2


def _text(name: str) -> str:
    return (FILES / name).read_text("utf-8")


def _volumes() -> Iterator[str]:
    for service in _COMPOSE["services"].values():
        for volume in service.get("volumes", ()):
            yield volume.partition(":")[0]


def _packages() -> list[str]:
    text = (ROOT / "requirements.txt").read_text("utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if "==" in line]


def _said(program: str, *arguments: str) -> str:
    """What it prints. Raises `AssertionError` if it fails, and skips the test if there is none."""
    found = shutil.which(program, path=os.pathsep.join([os.environ["PATH"], str(Path(sys.prefix, "bin"))]))
    if found is None:
        pytest.skip(f"there is no {program} on this machine")
    done = subprocess.run([found, *arguments], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
