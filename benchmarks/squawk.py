"""Our findings beside those of squawk on the same files: each of its default set is ours too, or harmless there.

`make bench ARGS='squawk FOLDER'`. Lines that begin with "unanswered" are findings of squawk without an answer.
"""

import bisect
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.installation import say
from benchmarks.squawk_rules import ANSWERS, Answer
from checks.context import DEFAULT_VERSION
from checks.errors import CheckError, Unparsable
from checks.finding import Finding, Severity
from checks.layouts import Layout, MigrationFiles, detect, text_of
from checks.output.judged import Judged
from checks.project.following import Start, judged, read_project
from checks.report import Part
from checks.rules import RULES

PROGRAM = Path(sys.executable).parent / "squawk"
TIMEOUT_SECONDS = 300
_STYLE = frozenset(rule.code for rule in RULES if rule.is_style)


def main(folder: str) -> None:
    """Judge a folder with both, print what squawk finds and we do not, and as the last line the sums."""
    path = Path(folder)
    try:
        layout = detect(path)
        project = read_project(path, layout)
        ours = [one for one in judged(project, Start(DEFAULT_VERSION), style=True) if one.part is Part.FORWARD]
        texts = [_text(layout, migration) for migration in project.migrations]
    except CheckError as error:
        raise SystemExit(str(error)) from None
    comparison = _Comparison()
    for one, findings in zip(ours, _squawk(texts), strict=True):
        comparison.add(one, findings)
    comparison.tell(path.name)


class _Comparison:
    """What came of every finding of squawk, and how many findings of both there are where something blocks."""

    def __init__(self) -> None:
        self._ours: Counter[str] = Counter()
        self._harmless: dict[str, Counter[str]] = {}
        self._unanswered: Counter[str] = Counter()
        self._files: Counter[bool] = Counter()
        self._found: dict[str, Counter[bool]] = {"ours": Counter(), "squawk": Counter()}

    def add(self, one: Judged, findings: Iterable[dict[str, object]]) -> None:
        """Take one file: our judgement, and the findings of squawk."""
        blocks = any(lock.work for seen in one.report.seen for lock in seen.effects.felt)
        self._files[blocks] += 1
        self._found["ours"][blocks] += sum(_counts(finding) for finding in one.report.findings)
        for finding in findings:
            self._found["squawk"][blocks] += 1
            self._answer(one, str(finding["rule_name"]), (int(str(finding["line"])), int(str(finding["column"]))))

    def _answer(self, one: Judged, rule: str, place: tuple[int, int]) -> None:
        answer = ANSWERS.get(rule, Answer())
        starts = [(found.line - 1, found.column - 1) for found in one.report.statements]
        at = max(bisect.bisect_right(starts, place) - 1, 0)
        codes = {finding.code for finding in one.report.findings if finding.statement in {at, -1}}
        seen = one.report.seen[at] if one.report.seen else None
        if codes & set(answer.codes):
            self._ours[rule] += 1
        elif reason := (answer.harmless(seen, one.report.after) if seen else "") or answer.always:
            self._harmless.setdefault(rule, Counter())[reason] += 1
        else:
            self._unanswered[rule] += 1
            words = " ".join(seen.statement.sql.split())[:160] if seen else "?"
            say(f"unanswered: {rule}: {one.path}:{place[0] + 1}: {words} (ours: {', '.join(sorted(codes)) or 'none'})")

    def tell(self, name: str) -> None:
        """Print everything, the sums last."""
        for rule in sorted(self._ours.keys() | self._harmless.keys() | self._unanswered.keys()):
            reasons = self._harmless.get(rule, Counter())
            say(f"{rule}: ours too {self._ours[rule]}, harmless {reasons.total()}, unanswered {self._unanswered[rule]}")
            for reason, count in reasons.most_common():
                say(f"    {count} because {reason}")
        for blocks, words in (
            (True, "block somebody while they work"),
            (False, "block nobody for longer than a moment"),
        ):
            files = self._files[blocks]
            both = (f"{who} {counts[blocks] / files:.2f}" for who, counts in self._found.items() if files)
            say(f"{files} files {words}; findings a file: {', '.join(both)}")
        answered = self._ours.total() + sum(counts.total() for counts in self._harmless.values())
        say(
            f"squawk: {name}: {answered + self._unanswered.total()} findings of squawk, {self._ours.total()} ours too, "
            f"{self._unanswered.total()} unanswered"
        )


def _counts(finding: Finding) -> bool:
    """True for a finding that asks for a decision: no matter of taste, and no mere note."""
    return finding.severity is not Severity.NOTE and finding.code not in _STYLE


def _text(layout: Layout, migration: MigrationFiles) -> str:
    """Return what would be sent, or nothing where that is not known: then there is nothing to compare either."""
    try:
        return text_of(layout, migration, Part.FORWARD)
    except Unparsable:
        return ""


def _squawk(texts: list[str]) -> list[list[dict[str, object]]]:
    """Return the findings of squawk's default set for each text."""
    with tempfile.TemporaryDirectory(prefix="locktender-bench-") as place:
        paths = [Path(place) / f"{number:06}.sql" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text, encoding="utf-8")
        answer = subprocess.run(
            [PROGRAM, "--reporter=json", f"--pg-version={DEFAULT_VERSION}.0", *paths],
            capture_output=True,
            check=False,  # it fails where it finds something
            timeout=TIMEOUT_SECONDS,
        )
        found: dict[str, list[dict[str, object]]] = {str(path): [] for path in paths}
        for finding in json.loads(answer.stdout):
            found[finding["file"]].append(finding)
        return list(found.values())
