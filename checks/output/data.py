"""The report as JSON, for programs. ASCII only: other letters would reach a terminal as they are."""

from __future__ import annotations

import json
from dataclasses import asdict

from checks.lock_rows import lock_rows, not_analysed, quiet_rows
from checks.output.judged import Judged, Outcome
from checks.phases import Broken
from checks.reviewing.review import Review

FORMAT = 2  # since 2 an object with the scripts in it; before it was the bare list
_NONE = "[]\n}"


def as_json(outcome: Outcome) -> str:
    """Return the whole outcome as one JSON object. `format` rises when a program that reads it would break."""
    told = {
        "format": FORMAT,
        "postgresql": outcome.version,
        "sizes_known": outcome.sized,
        "not_judged": outcome.passed_over,
        "risk": outcome.risk,
        "files": [{"path": one.path, **asdict(one.finding)} for one in outcome.placed],
        "scripts": [],
    }
    whole = json.dumps(told, indent=2)
    if outcome.judged:
        # The last value, with its scripts as they would be written in one go: what was written before is not again.
        scripts = ",\n    ".join(map(_written, outcome.judged))
        whole = f"{whole.removesuffix(_NONE)}[\n    {scripts}\n  ]\n}}"
    return whole + "\n"


def _written(item: Judged) -> str:
    """Return one script as JSON, in the depth where it stands."""
    known = item.shelf.taken("json") if item.shelf else None
    if known is None:
        known = json.dumps(_script(item), indent=2).replace("\n", "\n    ")
        if item.shelf:
            item.shelf.put("json", known)
    return known


def _script(item: Judged) -> dict[str, object]:
    report = item.report
    return {
        "path": item.path,
        "migration": item.migration,
        "part": item.part,
        "risk": report.classified.risk,
        "reasons": report.classified.reasons,
        "analysed": report.is_analysed,
        "statements": len(report.statements),
        "locks": [asdict(row) for row in lock_rows(report)],
        "quiet_locks": [asdict(row) for row in quiet_rows(report)],
        "not_analysed": [{"line": line, "what": words} for line, words in not_analysed(report)],
        "findings": [asdict(finding) for finding in report.findings],
        "review": _review(item.review) if item.review else None,
    }


def _review(review: Review) -> dict[str, object]:
    return {
        "phase": review.phase,
        "words": review.words,
        "compatible": review.is_compatible,
        "breaks": _broken(review.breaks),
        "not_known": _broken(review.unknown),
        "checklist": [asdict(item) for item in review.items],
        "split": [asdict(one) for one in review.split],
    }


def _broken(found: tuple[Broken, ...]) -> list[dict[str, object]]:
    return [{"line": one.line, "what": one.words} for one in found]
