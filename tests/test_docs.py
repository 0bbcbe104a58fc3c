"""The documents say what the code does: compared in both directions, so that neither runs ahead."""

import importlib
import json
import pkgutil
import re
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import checks
import controlplane
import deployments
from checks.errors import CheckError
from controlplane.configuration import Configuration
from deployments import states
from deployments.errors import DeploymentError

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (checks, controlplane, deployments)
PACKAGE_NAMES = {package.__name__ for package in PACKAGES}
CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
STATES = {
    "Run": (states.RunState, states.RUN_MOVES, states.RUN_ACTIVE, states.RUN_FINAL, states.FIRST_RUN_STATES),
    "Job": (states.JobState, states.JOB_MOVES, states.JOB_ACTIVE, states.JOB_FINAL, states.FIRST_JOB_STATES),
    "Step": (states.StepState, states.STEP_MOVES, states.STEP_ACTIVE, states.STEP_FINAL, states.FIRST_STEP_STATES),
}


def files() -> list[str]:
    """Return what belongs to the project: what git knows, or would take in."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(name for name in set(names.split("\0")) if name and (ROOT / name).is_file())


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one of the same level."""
    level = heading.partition(" ")[0]
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^{level} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no heading {heading!r}"
    return found[1]


def tables(text: str) -> list[list[list[str]]]:
    """Return every table of a document as rows of cells, without its head."""
    found = re.findall(r"^\|.*\|\n\|[-|]+\|\n((?:\|.*\|\n)+)", text, re.MULTILINE)
    return [[[cell.strip() for cell in line.strip("|").split("|")] for line in rows.splitlines()] for rows in found]


def quoted(cell: str) -> str:
    assert re.fullmatch("`[^`]+`", cell), f"{cell} is not one `word`"
    return cell[1:-1]


@pytest.mark.parametrize("subject", STATES)
def test_every_state_is_described_as_it_is(subject):
    known, _, active, final, first = STATES[subject]
    described, _ = tables(section(read("docs/states.md"), f"## {subject}"))

    written = {(quoted(state), kind) for state, kind, _ in described}

    assert written == {
        (
            str(state),
            ", ".join(["open"] * (state in active) + ["final"] * (state in final) + ["first"] * (state in first)),
        )
        for state in known
    }
    assert len(described) == len(known.values)
    assert all(meaning for _, _, meaning in described)


@pytest.mark.parametrize("subject", STATES)
def test_every_legal_move_is_described_and_no_other(subject):
    moves = STATES[subject][1]
    _, described = tables(section(read("docs/states.md"), f"## {subject}"))

    written = [(quoted(before), quoted(after)) for before, after, _ in described]

    assert sorted(written) == sorted((str(before), str(after)) for before in moves for after in moves[before])
    assert all(mover for _, _, mover in described)


def import_everything() -> None:
    """Import every module of the product, so that every error is known."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


def below(kind: type[Exception]) -> Iterator[type[Exception]]:
    for child in kind.__subclasses__():
        yield child
        yield from below(child)


def refusals() -> set[type[Exception]]:
    """Return every class of the product that is raised: those without a code of their own only group others."""
    import_everything()
    classes = {kind for base in (DeploymentError, CheckError) for kind in below(base)}
    return {
        kind
        for kind in classes
        if kind.__module__.split(".")[0] in PACKAGE_NAMES and ("code" in vars(kind) or not kind.__subclasses__())
    }


def test_every_refusal_has_a_code_of_its_own():
    without = {kind.__qualname__ for kind in refusals() if not CODE.fullmatch(str(vars(kind).get("code")))}
    codes = sorted(str(vars(kind).get("code")) for kind in refusals())

    assert not without
    assert codes == sorted(set(codes))


def test_every_code_is_documented_and_every_documented_code_exists():
    documented = re.findall(r"^### `(.+)`$", read("docs/errors.md"), re.MULTILINE)

    assert sorted(documented) == sorted(str(vars(kind).get("code")) for kind in refusals())


def test_every_documented_code_says_when_what_it_means_and_what_to_do():
    entries = re.split(r"^#+ ", read("docs/errors.md"), flags=re.MULTILINE)
    shape = re.compile(r"`.+`\n\n- \*\*When:\*\* .+\n- \*\*Database:\*\* .+\n- \*\*Do:\*\* .+\s*")

    malformed = [entry for entry in entries if entry.startswith("`") and not shape.fullmatch(entry)]

    assert not malformed


def default_as_written(name: str) -> str:
    field = Configuration.model_fields[name]
    value: Any = field.default
    match value:
        case _ if field.is_required():
            return "required"
        case None:
            return "not set"
        case timedelta():
            return f"`{value.total_seconds():g}`"
    return f"`{json.dumps(value)}`"


def test_every_setting_is_documented_with_its_default():
    (described,) = tables(section(read("docs/operations.md"), "## Settings"))

    written = {quoted(name): default for name, default, _ in described}

    assert written == {name.upper(): default_as_written(name) for name in Configuration.model_fields}
    assert all(meaning for _, _, meaning in described)


def test_the_map_of_folders_names_every_top_level_folder_and_no_other():
    (described,) = tables(section(read("README.md"), "## Folders"))

    written = [quoted(folder) for folder, _ in described]

    assert sorted(written) == sorted({f"{name.split('/')[0]}/" for name in files() if "/" in name})


def prose(name: str) -> str:
    """Return a document without its code, where brackets are no links."""
    return re.sub(r"```.*?```|`[^`\n]*`", "", read(name), flags=re.DOTALL)


def anchors(name: str) -> set[str]:
    """Return the names under which the headings of a document can be linked to."""
    headings = re.findall(r"^#+ (.+)$", read(name), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(name: str) -> Iterator[str]:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(name)):
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        if re.match(r"[a-z]+:", link):
            continue
        if not target.exists() or (anchor and anchor not in anchors(str(target.resolve().relative_to(ROOT)))):
            yield f"{name}: {link}"


def test_every_relative_link_leads_somewhere():
    broken = [link for name in files() if name.endswith(".md") for link in broken_links(name)]

    assert not broken


def test_a_path_that_a_document_names_exists():
    """Only paths below a top-level folder, without placeholders, in documents that describe the tree."""
    named = {
        (document, path)
        for document in ("README.md", "CONTRIBUTING.md", *(name for name in files() if re.match(r"docs/.*\.md$", name)))
        for path in re.findall(r"`((?:checks|controlplane|deployments|docs|tests)/[\w./-]*)`", read(document))
    }

    assert not [(document, path) for document, path in sorted(named) if not (ROOT / path).exists()]


def test_decisions_are_numbered_without_gaps_and_have_one_form():
    decisions = [name for name in files() if name.startswith("docs/decisions/")]
    headings = {name: re.findall(r"^## (.+)$", read(name), re.MULTILINE) for name in decisions}

    assert [Path(name).name[:4] for name in decisions] == [f"{number:04}" for number in range(1, len(decisions) + 1)]
    assert {tuple(found) for found in headings.values()} == {
        ("Context", "Decision", "Rejected alternatives", "Consequences")
    }
