"""What a step proved, as facts and tables that a page can show: every number keeps its unit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deployments.models import Step
from deployments.selectors.bill import bill_facts, bill_tables
from deployments.selectors.clone_times import bytes_of
from deployments.selectors.dropped_tables import dropped_tables, told_facts
from deployments.selectors.price_tables import price_tables, restore_facts
from deployments.selectors.proof_tables import proof_facts, proof_tables

PROVEN = {
    "readable": "read to the end when it was made, never restored",
    "restored": "restored; not all of it could be compared",
    "sampled": "restored; a sample of it compared",
    "equal": "restored and equal",
}
MOST_ROWS = 100  # of one table; the record has them all
URGENCY = {"failed": 0, "unhealthy": 1, "not-measured": 2}  # other verdicts ask nothing of anybody


@dataclass(frozen=True, slots=True)
class Cell:
    """One value. `kind` says how it is written: text, code, number, size (bytes), ms, seconds, state."""

    value: Any
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """Some rows under one heading; `left_out` of them are only in the record."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left_out: int = 0

    @property
    def lines(self) -> list[list[tuple[str, Cell]]]:
        """The rows, each value with the head of its column."""
        return [list(zip(self.heads, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one step found."""

    facts: tuple[tuple[str, Cell], ...]
    tables: tuple[Table, ...]

    def __bool__(self) -> bool:
        return bool(self.facts or self.tables)


def evidence_of(step: Step) -> Evidence:
    """Return the evidence of a step in the order a reader asks for it; empty if it left none."""
    told: Mapping[str, Any] = step.evidence
    size = bytes_of(step.job.database) if "proof" in told else None
    return Evidence(facts=tuple(_facts(told)), tables=tuple(one for one in _tables(told, size) if one.rows))


def _facts(told: Mapping[str, Any]) -> Iterable[tuple[str, Cell]]:
    if "bill" in told:
        yield from ((label, Cell(*value)) for label, value in bill_facts(told["bill"]))
    if "server_version" in told:
        yield from _preflight(told)
    if "proof" in told:
        yield from ((label, Cell(*value)) for label, value in proof_facts(told["proof"]))
    yield from ((label, Cell(*value)) for label, value in (*restore_facts(told), *told_facts(told)))
    if "restore_point" in told:
        yield from _driven(told)
    elif "place" in told:
        yield from _backup(told)
    for name, label in (("not_kept", "Not kept"), ("not_judged", "Not judged"), ("elsewhere", "Not kept, elsewhere")):
        if told.get(name):
            yield label, Cell(", ".join(map(str, told[name])), "code")
    if "migrations" in told:
        yield from _migrated(told)
    if "healthy" in told:
        yield "Watched for", Cell(told["seconds"], "seconds")
        yield "Healthy answers", Cell(told["healthy"], "number")
        yield "Unhealthy answers", Cell(told["unhealthy"], "number")
        yield "Slowest answer", Cell(told["slowest_ms"], "ms")


def _preflight(told: Mapping[str, Any]) -> Iterable[tuple[str, Cell]]:
    version = told["server_version"]
    yield "Server", Cell(f"PostgreSQL {version // 10000}.{version % 10000}")
    yield "Database", Cell(f"{told['database_name']} on {told['system_identifier']}", "code")
    yield "Applied before", Cell(told["applied"], "number")
    if store := told.get("store"):
        yield "Store has free", Cell(store["free_bytes"], "size")
        yield "A backup may need", Cell(store["wanted_bytes"], "size")
        yield "pg_dump", Cell(store["pg_dump"])
    for warning in told.get("warnings", ()):
        yield "Warning", Cell(warning)


def _migrated(told: Mapping[str, Any]) -> Iterable[tuple[str, Cell]]:
    yield "Committed", Cell(len(told["migrations"]), "number")
    if "seconds" in told:
        yield "Took", Cell(told["seconds"], "seconds")
    if "settled_from" in told:
        yield "Found in", Cell(told["settled_from"], "code")


def _backup(told: Mapping[str, Any]) -> Iterable[tuple[str, Cell]]:
    yield "Place", Cell(told["place"], "code")
    yield "Size", Cell(told["bytes"], "size")
    yield "Proven", Cell(PROVEN.get(told["level"], told["level"]))
    yield "Tables", Cell(told["tables"], "number")
    yield "Rows counted", Cell(told["rows"], "number")
    if told.get("tables_not_measured"):
        yield "Tables not measured", Cell(told["tables_not_measured"], "number")
    yield "As of", Cell(f"{told['snapshot_at']}, LSN {told['snapshot_lsn']}", "code")
    yield "pg_dump", Cell(f"{told['client_version']}, {told['compression']}")
    yield "Manifest", Cell(told["manifest_sha256"], "digest")
    yield "Encrypted", Cell(f"with the key {told['key_id']}" if told.get("key_id") else "no")
    if told.get("not_restored"):
        yield "Restored", Cell(told["not_restored"])
    if restored := told.get("restored"):
        yield "Restored on", Cell(restored["on"])
        yield "Restoring took", Cell(sum(restored["seconds"].values()), "seconds")
        yield "Rows compared by hash", Cell(restored["rows"], "number")
        if restored["not_compared"]:
            yield "Not compared", Cell(", ".join(restored["not_compared"]))
        if restored.get("sampled"):
            yield "Only sampled", Cell(", ".join(restored["sampled"]), "code")


def _driven(told: Mapping[str, Any]) -> Iterable[tuple[str, Cell]]:
    yield "Made by", Cell(f"the driver {told['driver']} {told['driver_version']}".strip())
    yield "Restore point", Cell(told["restore_point"], "code")
    yield "Named by", Cell("us, in the write-ahead log" if told["restore_point_is_ours"] else "the driver")
    yield "Proven", Cell(f"the driver says: {told['vouched']}" if told["vouched"] else "not restored by us")
    if told["driver_backup"]:
        yield "Its backup", Cell(told["driver_backup"], "code")
    if told["said"]:
        yield "It says", Cell(told["said"])
    yield "As of", Cell(f"{told['snapshot_at']}, LSN {told['snapshot_lsn']}", "code")
    yield "Place of its answer", Cell(told["place"], "code")
    yield "Manifest", Cell(told["manifest_sha256"], "digest")


def _tables(told: Mapping[str, Any], target_bytes: int | None) -> Iterable[Table]:
    for title, heads, rows in bill_tables(told["bill"]) if "bill" in told else ():
        yield _table(title, heads, (tuple(Cell(*value) for value in row) for row in rows))
    for title, heads, lost in (*price_tables(told), *dropped_tables(told)):
        yield _table(title, heads, (tuple(Cell(*value) for value in row) for row in lost))
    for title, heads, tried in proof_tables(told["proof"], target_bytes) if "proof" in told else ():
        yield _table(title, heads, (tuple(Cell(*value) for value in row) for row in tried))
    yield _table("Checks", ("Check", "Verdict", "Found", "#Took"), map(_check, told.get("checks", ())))
    for part, title in (("constraints", "Constraints"), ("indexes", "Indexes"), ("orphans", "Foreign keys")):
        yield _table(title, ("Name", "Verdict", "Found"), map(_item, told.get(part, ())))
    schema = told.get("schema", {})
    yield _table("Schema", ("Name", "Verdict", "Found"), _differences(schema))
    yield _table(
        "Rows", ("Table", "Verdict", "Found", "#Rows"), map(_rows, told.get("rows", ()) if _is_list(told) else ())
    )
    yield _table(
        "What could have been in the way",
        ("What", "Kind", "In the way"),
        map(_met, told.get("collisions", {}).get("met", ())),
    )
    yield _table(  # of steps from before collisions were told apart
        "Transactions that were open for long",
        ("Session", "State", "#Open for"),
        map(_transaction, told.get("long_transactions", ())),
    )
    yield _table(
        "What the application waited",
        ("Migration", "#Sessions at most", "#Oldest", "#In sum"),
        (_bill(name, bill) for name, bill in told.get("waits", {}).items()),
    )
    yield _table("Statements", ("Statement", "#Took"), _timed(told.get("timings", ())))
    yield _table(
        "Run in batches",
        ("Statement", "Table", "#Rows changed", "#Gone through", "#Batches", "#Took", "#Paused"),
        map(_batched, told.get("batches", ())),
    )
    readings = [*told.get("readings", ()), *(told[part] for part in ("health", "last") if part in told)]
    yield _table("Health", ("Answer", "Verdict", "Found", "#Took"), map(_reading, readings))


def _is_list(told: Mapping[str, Any]) -> bool:
    """Whether `rows` are those of the checks; a backup has a number of that name."""
    return isinstance(told.get("rows"), list)


def _table(title: str, heads: tuple[str, ...], rows: Iterable[tuple[Cell, ...]]) -> Table:
    every = tuple(rows)
    if len(every) > MOST_ROWS:  # what needs a person is not among those that are left out
        every = tuple(sorted(every, key=_urgency))
    return Table(title, heads, every[:MOST_ROWS], max(0, len(every) - MOST_ROWS))


def _urgency(row: tuple[Cell, ...]) -> int:
    return min((URGENCY.get(cell.value, len(URGENCY)) for cell in row if cell.kind == "state"), default=len(URGENCY))


def _verdict(entry: Mapping[str, Any]) -> Cell:
    return Cell(entry["verdict"].replace(" ", "-"), "state")


def _check(entry: Mapping[str, Any]) -> tuple[Cell, ...]:
    name = Cell(f"{entry['title']} ({entry['migration']}, check {entry['number']})")
    return name, _verdict(entry), Cell(entry["detail"]), Cell(entry["milliseconds"], "ms")


def _timed(scripts: Iterable[Mapping[str, Any]]) -> Iterable[tuple[Cell, ...]]:
    """Yield how long each statement took, waits for locks included."""
    for script in scripts:
        for one in script["statements"]:
            yield Cell(f"{script['migration']}, statement {one['number']}"), Cell(one["seconds"], "seconds")


def _batched(entry: Mapping[str, Any]) -> tuple[Cell, ...]:
    counts = (Cell(entry[name], "number") for name in ("rows", "keys", "batches"))
    times = (Cell(entry[name], "seconds") for name in ("seconds", "throttled_seconds"))
    return Cell(f"{entry['migration']}, statement {entry['statement']}"), Cell(entry["table"], "code"), *counts, *times


def _item(entry: Mapping[str, Any]) -> tuple[Cell, ...]:
    return Cell(f"{entry['table']}: {entry['name']}", "code"), _verdict(entry), Cell(entry["detail"])


def _differences(schema: Mapping[str, Any]) -> Iterable[tuple[Cell, ...]]:
    """Yield what is not as it was before the run that was rolled back, or that all of it is."""
    if "verdict" not in schema:
        return
    entries = schema["differences"]
    if not entries:
        yield Cell("Everything"), Cell(schema["verdict"].replace(" ", "-"), "state"), Cell(schema["sentence"])
    for entry in entries:
        by_others = "; changed between the two runs, by something else" if entry["is_by_others"] else ""
        verdict = "noted" if entry["is_by_others"] else "failed"
        yield Cell(entry["name"], "code"), Cell(verdict, "state"), Cell(f"It {entry['what']}{by_others}.")


def _rows(entry: Mapping[str, Any]) -> tuple[Cell, ...]:
    count = Cell("not-measured", "state") if entry["count"] is None else Cell(entry["count"], "number")
    return Cell(entry["table"], "code"), _verdict(entry), Cell(entry["detail"]), count


def _met(entry: Mapping[str, Any]) -> tuple[Cell, ...]:
    return Cell(entry["text"]), Cell(entry["kind"].replace("-", " ")), Cell("yes" if entry["is_in_the_way"] else "no")


def _transaction(entry: Mapping[str, Any]) -> tuple[Cell, ...]:
    who = "prepared transaction" if entry["pid"] is None else f"pid {entry['pid']}"
    name = Cell(f"{who} ({entry['user']}, {entry['application'] or 'unnamed'})")
    return name, Cell(entry["state"]), Cell(entry["seconds"], "seconds")


def _bill(name: str, bill: Mapping[str, Any]) -> tuple[Cell, ...]:
    return (
        Cell(name, "code"),
        Cell(bill["most_waiting"], "number"),
        Cell(bill["oldest_seconds"], "seconds"),
        Cell(bill["total_seconds"], "seconds"),
    )


def _reading(entry: Mapping[str, Any]) -> tuple[Cell, ...]:
    status = "no answer" if entry["status"] is None else f"status {entry['status']}"
    version = f", version {entry['version']}" if entry["version"] else ""
    verdict = Cell("healthy" if entry["is_healthy"] else "unhealthy", "state")
    return Cell(f"{status}{version}"), verdict, Cell(entry["why"] or "As expected."), Cell(entry["milliseconds"], "ms")
