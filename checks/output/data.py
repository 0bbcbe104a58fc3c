"""The report as JSON, for programs. ASCII only: other letters would reach a terminal as they are."""

from __future__ import annotations

import json
from dataclasses import asdict

from checks.lock_rows import lock_rows, not_analysed
from checks.output.judged import Judged, Outcome

FORMAT = 2  # since 2 an object with the scripts in it; before it was the bare list


def as_json(outcome: Outcome) -> str:
    """Return the whole outcome as one JSON object. `format` rises when a program that reads it would break."""
    told = {
        "format": FORMAT,
        "postgresql": outcome.version,
        "sizes_known": outcome.sized,
        "not_judged": outcome.passed_over,
        "risk": outcome.risk,
        "files": [{"path": one.path, **asdict(one.finding)} for one in outcome.placed],
        "scripts": [_script(one) for one in outcome.judged],
    }
    return json.dumps(told, indent=2) + "\n"


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
        "not_analysed": [{"line": line, "what": words} for line, words in not_analysed(report)],
        "findings": [asdict(finding) for finding in report.findings],
    }
