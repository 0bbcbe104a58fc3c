"""Writes one page per check from the checks' own texts: `python -m checks.docs [FOLDER]`, by default docs/checks."""

from __future__ import annotations

import sys
from pathlib import Path

from checks.finding import Rule
from checks.report import Part, judge
from checks.rules import RULES, UNPARSABLE, VERIFY_RULES


def pages() -> dict[str, str]:
    """Return the text of every page by its file name."""
    return {f"{rule.code}.md": page(rule) for rule in (*RULES, *VERIFY_RULES, UNPARSABLE)}


def page(rule: Rule) -> str:
    """Return the Markdown page of one check."""
    part = Part.VERIFY if rule in VERIFY_RULES else Part.FORWARD
    finding = next(found for found in judge(rule.bad, part=part).findings if found.code == rule.code)
    parts = [
        f"# {rule.title}",
        f"`{rule.code}` · {rule.severity}",
        rule.why,
        f"## What to do\n\n{rule.help}",
        f"## Found\n\n```sql\n{rule.bad}\n```\n\n> {finding.message}",
    ]
    if finding.rewrite:
        parts.append(f"## Suggested instead\n\n```sql\n{finding.rewrite}\n```")
    parts.append(f"## Not found\n\n```sql\n{rule.good}\n```")
    return "\n\n".join(parts) + "\n"


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
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/checks"))
