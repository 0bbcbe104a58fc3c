"""What was predicted of a history of migrations against what a server of our own measures, statement by statement.

`make bench ARGS='judgement FOLDER'`; a second argument names a folder with PostgreSQL's programs of another version.
The tables are empty: a rewrite shows in the number of the file, a scan in what the server says at DEBUG1, with or
without rows. What shows in neither is not counted: the scan of ALTER DOMAIN, and what a change of rows reads.
"""

import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import tally
from benchmarks.installation import say
from benchmarks.likeness import unlike
from benchmarks.scratch import Measured, Scratch, started
from benchmarks.tally import Tally
from checks.errors import CheckError, Unparsable
from checks.layouts import MigrationFiles, detect, read_files
from checks.layouts.errors import require_utf8
from checks.locks import Work, effects_of
from checks.locks.values import IndexLock
from checks.model import EMPTY, Name
from checks.model.replay import begin
from checks.model.replay import replay as replayed
from checks.statements import Script, Statement, parse

_ON_COMMIT_DROP = re.compile(r"\bON\s+COMMIT\s+DROP\b", re.IGNORECASE)
LIMIT_SECONDS = 30 * 60
SHOWN_FAILURES = 30


def main(folder: str, programs: str = "") -> None:
    """Replay a folder of migrations, print what differs, and as the last line how much agrees."""
    path = Path(folder)
    try:
        layout = detect(path)
        migrations = layout.read(read_files(path, layout))
    except CheckError as error:
        raise SystemExit(str(error)) from None
    with started(Path(programs) if programs else None) as scratch:
        say(f"{folder}: {layout.name}, {len(migrations)} migrations, PostgreSQL {scratch.version}")
        history = _History(scratch)
        for migration in migrations:
            history.replay(migration)
        history.tell(folder)


class _History:
    """One history on the model and on the server at the same time."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._schema = EMPTY
        self._ends_at = time.monotonic() + LIMIT_SECONDS
        self._tally = Tally()
        self._differences: list[str] = []
        self._failures: list[str] = []
        self._refusals: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()

    def replay(self, migration: MigrationFiles) -> None:
        """Run one migration's forward script; what fails is noted, and the rest goes on without it."""
        if time.monotonic() > self._ends_at:
            self._failures.append(f"{migration.name}: not run, {LIMIT_SECONDS} seconds are over")
            return
        self._scratch.begin_file()
        try:
            script = parse(require_utf8(migration.paths["forward"], migration.forward))
        except Unparsable as error:
            self._failures.append(f"{migration.paths['forward']}:{error.line}: cannot be analysed: {error.problem}")
            return
        except CheckError as error:
            self._failures.append(str(error))
            return
        self._schema = begin(self._schema)
        for statement in _to_run(script):
            self._one(f"{migration.paths['forward']}:{statement.line}", statement)

    def _one(self, place: str, statement: Statement) -> None:
        effects = effects_of(statement, self._schema, self._scratch.version)
        effects = replace(effects, indexes=tuple(one for one in effects.indexes if self._is_old(one)))
        measured = self._run(statement)
        if measured.error:
            told = f" (predicted: {effects.fails})" if effects.fails else ""
            self._refusals[tally.RIGHT if effects.fails else tally.MISSED] += 1
            self._failures.append(f"{place}: {measured.error}{told}")
            return
        if effects.fails:
            self._refusals[tally.CLAIMED] += 1
            self._differences.append(f"{place}: {statement.kind}: predicted to fail: {effects.fails}, measured success")
        self._unknown.update((*effects.unknown, *effects.untold))
        found = self._tally.add(statement.kind, effects, measured)
        self._differences += [f"{place}: {statement.kind}: {difference}" for difference in found]
        self._schema = replayed(self._schema, statement)

    def _is_old(self, lock: IndexLock) -> bool:
        """Return False for a lock on an index that this file made: nobody waits for it, though its table may be old."""
        return self._scratch.is_old(Name(lock.table.schema, lock.index))

    def _run(self, statement: Statement) -> Measured:
        if statement.outside_transaction:
            return self._scratch.run_alone(statement.sql)
        # Each statement has a transaction of its own; what is dropped at the end of one lives as long as the file.
        measured = self._scratch.run(_ON_COMMIT_DROP.sub("", statement.sql))
        if statement.tree.tag == "VariableSetStmt" and statement.tree.flag("is_local") and not measured.error:
            self._scratch.stay_local(statement.sql)
        return measured

    def tell(self, folder: str) -> None:
        """Print everything, the totals last."""
        for line in self._differences:
            say(f"difference: {line}")
        for line in self._failures[:SHOWN_FAILURES]:
            say(f"does not replay: {line}")
        if len(self._failures) > SHOWN_FAILURES:
            say(f"does not replay: {len(self._failures) - SHOWN_FAILURES} more")
        say(f"not analysed: {dict(self._unknown.most_common())}")
        facts, unlikes = unlike(self._schema, self._scratch.session)
        for line in unlikes:
            say(f"schema: {line}")
        for line in self._totals():
            say(line)
        say(f"schema: {facts} facts on the server, {len(unlikes)} differ in the model")
        counted, rewrites = self._tally, self._tally.work[Work.REWRITE]
        say(
            f"judgement: {Path(folder).name}: {counted.statements} statements, locks exact "
            f"{tally.agreement(counted.locks)} ({tally.known(counted.locks)} of those analysed), "
            f"rewrites found {tally.recall(rewrites)}, "
            f"claimed for nothing {rewrites[tally.CLAIMED]}, not replayed {len(self._failures)}"
        )

    def _totals(self) -> Iterator[str]:
        counted = self._tally
        yield f"statements: {counted.statements}, exact in everything: {tally.share(counted.exact, counted.statements)}"
        yield f"errors: {dict(self._refusals)}"
        rows = {"locks": counted.locks, "locks that stop writes": counted.blocking, **counted.work}
        for name, counts in rows.items():
            if counts:
                found = f"precision {tally.precision(counts)}, recall {tally.recall(counts)}"
                yield f"{name}: {dict(counts)}, {found}, exact {tally.agreement(counts)}"


def _to_run(script: Script) -> Iterator[Statement]:
    """Yield what is run: BEGIN and COMMIT are not, as each statement has a transaction of its own."""
    return (statement for statement in script.statements if not statement.transaction_control)
