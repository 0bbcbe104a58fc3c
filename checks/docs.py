"""Writes one page per check from the checks' own texts, and an index: `python -m checks.docs [FOLDER]`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from checks.context import DEFAULT_VERSION, NEWEST_VERSION
from checks.examples import world_of
from checks.finding import Finding, Group, Rule
from checks.project.history import HISTORY_RULES
from checks.report import Part, judge
from checks.rules import CATALOGUE, VERIFY_RULES

INDEX = "README.md"
FOLDER = "docs/checks"
EVERYTHING = (*CATALOGUE, *HISTORY_RULES)
_ABOUT = """\
What each migration is judged by. A note informs, a warning wants a decision, and a blocking finding must be resolved
before the migration can run. A check of style is asked only on request.

These pages are made from the checks' own texts by `python -m checks.docs`; the tests run the examples on a server."""


def pages() -> dict[str, str]:
    """Return the text of every page by its file name."""
    return {INDEX: index(), **{f"{rule.code}.md": page(rule) for rule in EVERYTHING}}


def index() -> str:
    """Return the Markdown page that lists every check, by group."""
    parts = ["# Checks", _ABOUT]
    for group in Group:
        rows = [_row(rule) for rule in EVERYTHING if rule.group is group]
        parts.append(f"## {group[0].upper()}{group[1:]}")
        parts.append("\n".join(("| check | what is found | severity |", "|---|---|---|", *rows)))
    return "\n\n".join(parts) + "\n"


def _row(rule: Rule) -> str:
    return f"| [`{rule.code}`]({rule.code}.md) | {rule.title} | {_severity(rule)} |"


def _severity(rule: Rule) -> str:
    return f"{rule.severity}, style" if rule.is_style else str(rule.severity)


def page(rule: Rule) -> str:
    """Return the Markdown page of one check."""
    return "\n\n".join(_sections(rule)) + "\n"


def _sections(rule: Rule) -> Iterator[str]:
    found = next(iter(_findings(rule, DEFAULT_VERSION)), None)  # None of what is found about files
    newest = next((one.rewrite for one in _findings(rule, NEWEST_VERSION)), "")
    yield f"# {rule.title}"
    yield f"`{rule.code}` · {_severity(rule)} · [{rule.group}]({INDEX})"
    yield rule.why
    yield f"## What waits\n\n{rule.blocks}"
    yield f"## What to do\n\n{rule.help}"
    if rule.given:
        yield f"## The examples are given\n\n{_sql(rule.given)}"
    yield f"## Found\n\n{_sql(rule.bad)}" + (f"\n\n> {found.message}" if found else "")
    if found and found.rewrite:
        yield f"## Suggested instead\n\n{_sql(found.rewrite)}"
    if found and newest not in {"", found.rewrite}:
        yield f"## Suggested instead on PostgreSQL {NEWEST_VERSION}\n\n{_sql(newest)}"
    yield f"## Not found\n\n{_sql(rule.good)}"
    yield f"Source: {rule.source}."


def _findings(rule: Rule, version: int) -> list[Finding]:
    """Return what the rule says about its bad example on a server of this version."""
    part = Part.VERIFY if rule in VERIFY_RULES else Part.FORWARD
    findings = judge(rule.bad, part=part, world=world_of(rule, version), style=True).findings
    return [one for one in findings if one.code == rule.code]


def _sql(text: str) -> str:
    return f"```sql\n{text}\n```"


def write(folder: Path) -> None:
    """Write every page into a folder, and remove pages of checks that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    current = pages()
    for name, text in current.items():
        (folder / name).write_text(text, encoding="utf-8")
    for stale in folder.glob("*.md"):
        if stale.name not in current:
            stale.unlink()


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else FOLDER))
