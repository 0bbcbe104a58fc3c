"""The report as workflow commands of GitHub Actions: an annotation at the line of each finding."""

from __future__ import annotations

from checks.finding import Finding, Severity
from checks.output.judged import Outcome
from checks.output.printable import printable, printable_lines

_COMMANDS = {Severity.NOTE: "notice", Severity.WARNING: "warning", Severity.BLOCKING: "error"}


def as_github(outcome: Outcome) -> str:
    """Return one line per finding, and a last one that is no command: the class of all."""
    lines = [_command(path, finding) for path, finding in outcome.findings()]
    scripts = len(outcome.judged)
    return "\n".join([*lines, f"{scripts} {'script' if scripts == 1 else 'scripts'} judged: {outcome.risk}"]) + "\n"


def _command(path: str, finding: Finding) -> str:
    severity = Severity.NOTE if finding.waived else finding.severity
    said = [finding.message, f"Ignored: {finding.waived}" if finding.waived else finding.help]
    if finding.rewrite:
        said += ["Safer:", *printable_lines(finding.rewrite)]
    place = f"file={_property(path)},line={finding.line},col={finding.column},title={_property(finding.code)}"
    return f"::{_COMMANDS[severity]} {place}::{_data(said)}"


def _data(lines: list[str]) -> str:
    """Return the message of a command: a line break is written as %0A, and what only looks like that is not."""
    return "%0A".join(printable(line).replace("%", "%25") for line in lines)


def _property(text: str) -> str:
    return printable(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
