"""The compose file and the Dockerfile as values, for the tests that compare them with the product."""

import re
import shlex
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
OURS = "locktender"
DEFAULTED = re.compile(r"\$\{\w+:-([^}]*)\}")


def text() -> str:
    """Return the compose file as it is written."""
    return (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def compose() -> dict[str, Any]:
    """Return it as a value, where nobody has set a variable of their own."""
    return yaml.safe_load(DEFAULTED.sub(r"\1", text()))


def services(*, ours: bool = False) -> dict[str, dict[str, Any]]:
    """Return every service by name, or only those of our image."""
    return {name: one for name, one in compose()["services"].items() if not ours or one["image"] == OURS}


def environment(name: str) -> dict[str, str]:
    """Return what a service is given in its environment."""
    return compose()["services"][name].get("environment", {})


def secrets(name: str) -> set[str]:
    """Return the names of the secrets a service is given."""
    return set(compose()["services"][name].get("secrets", []))


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile as pairs of instruction and argument, in order."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    whole = "\n".join(line for line in lines if not line.lstrip().startswith("#")).replace("\\\n", " ")
    return [(verb, rest) for line in whole.splitlines() if line for verb, _, rest in [line.partition(" ")]]


def arguments(verb: str) -> list[str]:
    """Return the arguments of every instruction of one kind, in order."""
    return [rest for found, rest in instructions() if found == verb]


def copied() -> set[str]:
    """Return what the Dockerfile takes over from the checkout."""
    words = [shlex.split(rest) for rest in arguments("COPY") if "--from=" not in rest]
    return {source for *sources, _ in words for source in sources}
