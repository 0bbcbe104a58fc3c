"""Comparing a restored database with what the manifest of its backup says of the snapshot it was made in."""

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import psycopg

from deployments.postgres.backup.measure import (
    THE_LARGE_OBJECTS,
    Sample,
    Table,
    measure,
    measure_large_objects,
    measure_plainly,
    sequences_of,
    tables_of,
)
from deployments.postgres.catalog import snapshot
from deployments.postgres.connect import Session, Target, session
from deployments.postgres.stop import Stop

LOOK_SECONDS = 0.2
CANCEL_SECONDS = 5.0
END_SECONDS = 10.0
ITSELF = "database itself"  # its properties are compared for themselves: see `properties`


@dataclass(frozen=True, slots=True)
class Compared:
    """What differs, as sentences, and what the manifest has no measure of."""

    differences: tuple[str, ...]
    not_compared: tuple[str, ...]
    tables: int  # whose rows were compared by their hash, all of them or a sample
    rows: int  # of these tables
    sampled: tuple[str, ...] = ()  # of which only a sample was

    @property
    def is_equal(self) -> bool:
        """Whether everything was compared, and nothing differs."""
        return not self.differences and not self.not_compared and not self.sampled

    @property
    def word(self) -> str:
        """How far it was compared, in a few words."""
        if self.differences:
            return "different"
        if self.not_compared:
            return "not all of it could be compared"
        return "sampled" if self.sampled else "equal"

    def as_evidence(self, most: int = 20) -> dict[str, Any]:
        """Return it as values for a step's evidence."""
        return {
            "is_equal": self.is_equal,
            "tables": self.tables,
            "rows": self.rows,
            "differences": list(self.differences[:most]),
            "differences_in_all": len(self.differences),
            "not_compared": list(self.not_compared[:most]),
            "not_compared_in_all": len(self.not_compared),
            "sampled": list(self.sampled[:most]),
            "sampled_in_all": len(self.sampled),
        }


def compare(
    restored: Target,
    content: Mapping[str, Any],
    *,
    name: str,
    jobs: int,
    stop: Stop,
    tell: Callable[[int], None] = lambda _: None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Compared:
    """Compare a database with the content of a manifest: schema, rows and hashes of every table, sequences.

    `tell` is told the rows of every table that was measured, by several threads; `meanwhile` is called by this one.

    The hashes are of the snapshot that was dumped, so that writes during the dump make no difference. Raises what
    opening a session raises, psycopg.Error, and what `stop` raises.
    """
    differences: list[str] = []
    not_compared: list[str] = []
    with session(restored, name=name) as opened:
        measure_plainly(opened)
        with opened.transaction():
            schema = snapshot(opened)
        differences += _of_schema(content["schema"], schema, not_compared)
        differences += _of_sequences(content["sequences"], sequences_of(opened))
        tables = {str(table): table for table in tables_of(opened)}
    rows, hashes = content["rows"], content["hashes"]
    samples = {table: Sample.of_manifest(told) for table, told in content.get("samples", {}).items()}
    wanted = {table for table in rows if table != THE_LARGE_OBJECTS}
    differences += [f"{table} is missing" for table in sorted(wanted - tables.keys())]
    differences += [f"{table} was not in the backup" for table in sorted(tables.keys() - wanted)]
    both = [tables[one] for one in wanted & tables.keys()]
    asked = {str(table): (hashes.get(str(table)) is not None, samples.get(str(table))) for table in both}
    found = _measure(restored, both, asked, name=name, jobs=jobs, stop=stop, tell=tell, meanwhile=meanwhile)
    if THE_LARGE_OBJECTS in rows:
        with session(restored, name=name) as opened:
            measure_plainly(opened)
            found[THE_LARGE_OBJECTS] = measure_large_objects(opened)
    for table in sorted(found):
        differences += _of_rows(table, (rows[table], hashes.get(table)), found[table])
        if hashes.get(table) is None or rows[table] is None or found[table][0] is None:
            not_compared.append(f"the rows of {table}")
    compared = [table for table in found if hashes.get(table) is not None and found[table][1] is not None]
    return Compared(
        tuple(differences),
        tuple(not_compared),
        len(compared),
        sum(found[table][0] or 0 for table in compared),
        tuple(table for table in compared if table in samples),
    )


def _of_schema(wanted: Mapping[str, str] | None, found: Mapping[str, str], not_compared: list[str]) -> Iterator[str]:
    if wanted is None:
        not_compared.append("the schema")
        return
    for thing in sorted((wanted.keys() | found.keys()) - {ITSELF}):
        if thing not in found:
            yield f"{thing} is missing"
        elif thing not in wanted:
            yield f"{thing} was not in the backup"
        elif wanted[thing] != found[thing]:
            yield f"{thing} differs"


def _of_sequences(wanted: Mapping[str, list[int | None]], found: Mapping[str, int | None]) -> Iterator[str]:
    """A sequence belongs to no snapshot: its value is one of those it had while the dump ran."""
    for name, (before, after) in wanted.items():
        value = found.get(name)
        known = [one for one in (before, after) if one is not None]
        if value is None and None in (before, after):
            continue
        if value is None or not known or not (min(known) <= value <= max(known) or before is None):
            yield f"sequence {name} is at {value}, and was between {before} and {after}"


def _of_rows(table: str, wanted: tuple[int | None, str | None], found: tuple[int | None, str | None]) -> Iterator[str]:
    if None not in (wanted[0], found[0]) and wanted[0] != found[0]:
        yield f"{table} has {found[0]:,} rows instead of {wanted[0]:,}"
    elif None not in (wanted[1], found[1]) and wanted[1] != found[1]:
        yield f"{table} has as many rows, and not the same ones"


def _measure(
    restored: Target,
    tables: list[Table],
    asked: Mapping[str, tuple[bool, Sample | None]],
    *,
    name: str,
    jobs: int,
    stop: Stop,
    tell: Callable[[int], None],
    meanwhile: Callable[[], None],
) -> dict[str, tuple[int | None, str | None]]:
    """Measure in several sessions, biggest tables first, by what is `asked`: whether to hash, and which sample.

    None is what could not be measured.
    """
    left: queue.SimpleQueue[Table] = queue.SimpleQueue()
    for table in sorted(tables, key=lambda one: one.size_bytes, reverse=True):
        left.put(table)
    found: dict[str, tuple[int | None, str | None]] = {str(table): (None, None) for table in tables}

    def work(opened: Session) -> None:
        with suppress(psycopg.Error, queue.Empty):
            measure_plainly(opened)
            while True:
                table = left.get_nowait()
                is_hashed, sample = asked[str(table)]
                with suppress(psycopg.Error):
                    found[str(table)] = measure(opened, table, is_hashed=is_hashed, sample=sample)
                    tell(found[str(table)][0] or 0)

    with ExitStack() as stack:
        sessions = [stack.enter_context(session(restored, name=name)) for _ in range(min(jobs, max(1, len(tables))))]
        threads = [threading.Thread(target=work, args=[opened], daemon=True) for opened in sessions]
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                threads[0].join(LOOK_SECONDS / len(threads))
                threads[-1].join(LOOK_SECONDS / len(threads))
                stop.require_may_start()
                meanwhile()
        except BaseException:
            with suppress(queue.Empty):
                while True:
                    left.get_nowait()
            for opened in sessions:
                with suppress(psycopg.Error):
                    opened.cancel_safe(timeout=CANCEL_SECONDS)
            for thread in threads:
                thread.join(END_SECONDS)
            raise
    return found
