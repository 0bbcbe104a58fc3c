"""The report as SARIF 2.1.0 (OASIS), which code scanning and editors show at the place of each finding."""

from __future__ import annotations

import json
from importlib.metadata import version

from checks.finding import Finding, Rule, Severity
from checks.output.judged import Outcome
from checks.rules import RULES, UNPARSABLE, VERIFY_RULES

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.NOTE: "note", Severity.WARNING: "warning", Severity.BLOCKING: "error"}


def as_sarif(outcome: Outcome) -> str:
    """Return one run with the rules that found something, and one result per finding.

    Columns count characters of the line (`unicodeCodePoints`), as everywhere here. What a comment waived is a result
    with its reason as the justification of a suppression.
    """
    found = list(outcome.findings())
    codes = sorted({finding.code for _, finding in found})
    places = {code: place for place, code in enumerate(codes)}
    described = {rule.code: rule for rule in (*RULES, *VERIFY_RULES, UNPARSABLE)}
    driver: dict[str, object] = {
        "name": "migration-check",
        "version": version("locktender"),
        "rules": [_rule(code, described.get(code)) for code in codes],
    }
    is_read = all(one.report.is_analysed for one in outcome.judged)
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": is_read}],
        "results": [_result(path, finding, places[finding.code]) for path, finding in found],
        "properties": {"risk": outcome.risk, "postgresql": outcome.version, "sizesKnown": outcome.sized},
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(code: str, rule: Rule | None) -> dict[str, object]:
    if rule is None:  # found about files, not by a rule that is asked of scripts
        return {"id": code}
    return {
        "id": code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.help},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(path: str, finding: Finding, place: int) -> dict[str, object]:
    said = f"{finding.message} {finding.help}"
    if finding.rewrite:
        said += f"\nSafer:\n{finding.rewrite}"
    result: dict[str, object] = {
        "ruleId": finding.code,
        "ruleIndex": place,
        "level": _LEVELS[finding.severity],
        "message": {"text": said},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _address(path)},
                    "region": {"startLine": finding.line, "startColumn": finding.column},
                }
            }
        ],
    }
    if finding.waived:
        result["suppressions"] = [{"kind": "inSource", "justification": finding.waived}]
    return result


# What RFC 3986 lets stand in a path as it is.
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")


def _address(path: str) -> str:
    """Return a path as a relative reference (RFC 3986): what has a meaning in one is written as %XX."""
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in path.encode(errors="surrogateescape"))
