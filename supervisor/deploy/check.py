"""Looks through the files of deployment that have no engine here: by the schemas of their formats, and for what they say of Muster.

`scripts/test` runs it with the packages it needs. Each variable must be a setting, each port the one that is listened on,
and whoever stops a supervisor must leave it the time to drain.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
TOOLS = Path(sys.executable).parent
#: The default of `drain_seconds`.
DRAIN_SECONDS = 300
#: The default of `http_bind`.
PORT = 7420
#: `apt-get install` of a version: the base image is what is pinned. And a tag that is built just before.
HADOLINT = ["--failure-threshold", "warning", "--ignore", "DL3008", "--ignore", "DL3007"]


def settings() -> set[str]:
    """The variables that are settings, from the list that the names test keeps."""
    names = (HERE.parent.parent / "tests/tests/names/settings.txt").read_text().split()
    return {f"MUSTER_{name.upper()}" for name in names}


def dockerfiles() -> list[Path]:
    return [path for path in sorted(HERE.glob("Dockerfile*")) if path.suffix != ".dockerignore"]


def by_schema() -> Iterator[str]:
    """What the linters of each format find."""
    compose = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(HERE / "compose.yaml")]
    kubernetes = ["kubernetes-validate", "--strict", "--quiet", str(HERE / "kubernetes/muster.yaml")]
    images = ["hadolint", "--no-color", *HADOLINT, *map(str, dockerfiles())]
    for command in (compose, kubernetes, images):
        done = subprocess.run([TOOLS / command[0], *command[1:]], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            yield f"{command[0]}:\n{done.stdout}{done.stderr}"


def unknown_settings() -> Iterator[str]:
    """Variables that look like settings, and are none."""
    known = settings()
    files = [HERE / "compose.yaml", HERE / "muster.service", *HERE.glob("kubernetes/*.yaml"), *dockerfiles()]
    for path in files:
        for name in sorted(set(re.findall(r"\bMUSTER_[A-Z_]+", path.read_text())) - known):
            yield f"{path.name}: {name} is no setting"


def documents(name: str) -> dict[str, Any]:
    with (HERE / name).open() as file:
        return {one["kind"]: one for one in yaml.safe_load_all(file) if one}


def crossed() -> Iterator[str]:
    """What two places must say alike."""
    objects = documents("kubernetes/muster.yaml")
    pod = objects["Deployment"]["spec"]["template"]
    container = pod["spec"]["containers"][0]
    if pod["spec"]["terminationGracePeriodSeconds"] <= DRAIN_SECONDS:
        yield "muster.yaml: the pod is killed before it has drained"
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    if ports != {"http": PORT} or objects["Service"]["spec"]["ports"][0]["port"] != PORT:
        yield f"muster.yaml: the port is {PORT}"
    labels = pod["metadata"]["labels"]
    selectors = [objects["Deployment"]["spec"]["selector"], objects["PodDisruptionBudget"]["spec"]["selector"]]
    if objects["Service"]["spec"]["selector"] != labels or any(one["matchLabels"] != labels for one in selectors):
        yield "muster.yaml: a selector finds other pods"
    volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
    if {mount["name"] for mount in container["volumeMounts"]} != volumes:
        yield "muster.yaml: a volume is not mounted, or a mount has none"
    scaled = documents("kubernetes/keda.yaml")["ScaledObject"]["spec"]
    if scaled["scaleTargetRef"]["name"] != objects["Deployment"]["metadata"]["name"]:
        yield "keda.yaml: it scales another deployment"
    services = yaml.safe_load((HERE / "compose.yaml").read_text())["services"]
    if int(services["supervisor"]["stop_grace_period"].rstrip("s")) <= DRAIN_SECONDS:
        yield "compose.yaml: the supervisor is killed before it has drained"


def by_promtool() -> Iterator[str]:
    """What Prometheus says of the rules, and whether they are silent and loud about what their test says."""
    folder = HERE / "prometheus"
    for command in (["check", "rules", "--lint-fatal", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]):
        done = subprocess.run(["promtool", *command], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            yield f"promtool {command[0]}:\n{done.stdout}{done.stderr}"


def unknown_metrics() -> Iterator[str]:
    """Series that rules and dashboards ask for, and no supervisor has."""
    known = (HERE.parent.parent / "tests/tests/names/metrics.txt").read_text()
    series = {line.split("{")[0].split(" ")[0] for line in known.splitlines()}
    for path in (HERE / "prometheus/alerts.yaml", HERE / "prometheus/alerts_test.yaml", HERE / "grafana/muster.json"):
        for name in sorted(set(re.findall(r"\b(?:muster|process)_[a-z_]+", path.read_text())) - series):
            yield f"{path.name}: {name} is no metric"


def dashboard() -> Iterator[str]:
    """What Grafana would take amiss in silence."""
    panels = json.loads((HERE / "grafana/muster.json").read_text())["panels"]
    ids = [panel["id"] for panel in panels]
    if len(ids) != len(set(ids)):
        yield "muster.json: two panels have one id"
    places = [tuple(panel["gridPos"][key] for key in "xy") for panel in panels]
    if len(places) != len(set(places)):
        yield "muster.json: two panels lie on one another"


def main() -> int:
    found = [*by_schema(), *unknown_settings(), *crossed(), *by_promtool(), *unknown_metrics(), *dashboard()]
    for one in found:
        sys.stderr.write(f"{one}\n")
    if not found:
        sys.stdout.write("deployment files: nothing is wrong\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
