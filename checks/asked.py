"""What `migration-check` is asked, and the whole way from there to what it prints and how it ends."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from checks.context import DEFAULT_VERSION, NEWEST_VERSION, OLDEST_VERSION, World
from checks.errors import CheckError, Unparsable
from checks.finding import Severity
from checks.layouts import detected, named, read_files, require_short
from checks.layouts.errors import require_utf8
from checks.model import UNKNOWN
from checks.model.coding import Misshapen
from checks.output import Format, Judged, Outcome, OutputFailed, as_written, write_refusal
from checks.project.answers import Call
from checks.project.cache import Memory
from checks.project.files import MAX_JUDGED_FILE_BYTES, is_folder, read_file, within_limit
from checks.project.following import Start, judged, placed, read_project
from checks.report import Part, judge, unanalysed
from checks.reviewing.review import described
from checks.risk import Risk
from checks.streams import put

CLEAN, FOUND, NOT_ANALYSED = 0, 1, 2
_VERSIONS = {str(one): one for one in range(OLDEST_VERSION, NEWEST_VERSION + 1)}


@dataclass(frozen=True, slots=True)
class Question:
    """One call of the command: the place, and what the options say. The words are explained in checks.command."""

    path: str
    layout: str = "auto"
    pg: int | None = None
    base: str = ""
    snapshot: str = ""
    output: Format = Format.TEXT
    fail_on: Risk = Risk.HIGH
    style: bool = False
    remembers: bool = True

    @classmethod
    def of(cls, call: Call) -> Question | None:
        """Return what a plain call asks, or None where one of its options has a value that is none."""
        given = {"--layout": "auto", "--format": Format.TEXT, "--fail-on": Risk.HIGH, **call.options}
        version = given.get("--pg")
        if version is not None and version not in _VERSIONS:
            return None
        try:
            output, fail_on = Format(given["--format"]), Risk(given["--fail-on"])
        except ValueError:
            return None
        return cls(
            call.path, given["--layout"], _VERSIONS[version] if version else None, output=output, fail_on=fail_on,
            style="--style" in given,
        )  # fmt: skip


def answer(asked: Question, call: Call | None = None) -> int:
    """Judge, write the report and return the exit status. `call` is what the answer may be remembered for."""
    try:
        try:
            text, status = _answer(asked)
        except Misshapen:  # what is remembered is not of our making: as if there were nothing
            text, status = _answer(replace(asked, remembers=False))
    except CheckError as error:
        write_refusal(error, asked.output)
        return NOT_ANALYSED
    if call is not None:
        call.keep(text, status)
    try:
        put(text)
    except OSError as error:
        return unwritten(error)
    return status


def _answer(asked: Question) -> tuple[str, int]:
    path = Path(asked.path)
    reviewed = asked.output not in {Format.SARIF, Format.GITHUB}  # they have a place for findings only
    memory = Memory.of(path, asked.style, asked.output, asked.pg) if asked.remembers else Memory()
    outcome = _outcome(asked, _start(asked.snapshot, asked.pg), memory, reviewed=reviewed)
    text = as_written(outcome, asked.output)
    memory.save()
    return text, exit_code(outcome, fail_on=asked.fail_on)


def unwritten(error: OSError) -> int:
    """Say that the report could not be written, and return the exit status of that."""
    write_refusal(OutputFailed(problem=error.strerror or str(error)), Format.TEXT)
    return NOT_ANALYSED


def exit_code(outcome: Outcome, *, fail_on: Risk) -> int:
    """Return 2 if any script could not be analysed, 1 if one reaches `fail_on` or anything is blocking, else 0."""
    if not all(item.report.is_analysed for item in outcome.judged):
        return NOT_ANALYSED
    reached = any(one.part is Part.FORWARD and one.report.risk >= fail_on for one in outcome.judged)
    blocking = any(one.report.is_blocking for one in outcome.judged) or any(
        one.finding.severity is Severity.BLOCKING for one in outcome.placed
    )
    return FOUND if reached or blocking else CLEAN


def _start(snapshot: str, version: int | None) -> Start:
    """Return where the first migration begins: on the schema of a snapshot, or on an empty one."""
    if not snapshot:
        return Start(version or DEFAULT_VERSION)
    from checks.model.saved import from_json  # noqa: PLC0415 - its patterns take time, and few calls need them

    saved = from_json(require_utf8(snapshot, read_file(snapshot, largest=MAX_JUDGED_FILE_BYTES)))
    return Start(version or saved.major, saved.schema, frozenset(saved.applied), is_sized=True)


def _outcome(asked: Question, start: Start, memory: Memory, *, reviewed: bool) -> Outcome:
    """Return everything that was judged. Raises a CheckError."""
    if asked.path == "-" or not is_folder(asked.path):
        alone = _alone(asked.path, start, style=asked.style)
        return Outcome((alone,), version=start.version, sized=start.is_sized)
    path = Path(asked.path)
    if asked.layout == "auto":
        layout, files = detected(path, largest=MAX_JUDGED_FILE_BYTES)
    else:
        layout = named(asked.layout)
        files = read_files(path, layout, largest=MAX_JUDGED_FILE_BYTES)
    project = read_project(path, layout, base=asked.base, files=files)
    found = tuple(judged(project, start, style=asked.style, memory=memory, reviewed=reviewed))
    passed = len(project.migrations) - sum(one.part is Part.FORWARD for one in found)
    return Outcome(found, placed(project), version=start.version, sized=start.is_sized, passed_over=passed)


def _alone(path: str, start: Start, *, style: bool) -> Judged:
    """Return the judgement of one script of which nothing else is known, unless there is a snapshot."""
    if path == "-":
        path = "standard input"
        content = within_limit(path, sys.stdin.buffer.read(MAX_JUDGED_FILE_BYTES + 1), largest=MAX_JUDGED_FILE_BYTES)
    else:
        content = read_file(path, largest=MAX_JUDGED_FILE_BYTES)
    text = require_utf8(path, content)
    world = World(start.schema if start.is_sized else UNKNOWN, start.version)
    try:
        require_short(text)
        report = judge(text, world=world, style=style)
    except Unparsable as error:
        report = unanalysed(error, world)
    followed = report.context or report.unparsable
    # Whether it has a way back, checks and notes, one file does not tell.
    return Judged(path, Part.FORWARD, text, report, review=described(followed) if followed else None)
