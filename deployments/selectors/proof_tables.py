"""A proof of a way back as facts and tables: a label and a cell, a title with its heads and rows of cells.

A cell is a value and how it is written, as `deployments.selectors.evidence.Cell` takes it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from checks.rehearsal.proof import Proof

Value = tuple[Any, str]


def proof_facts(told: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    """Yield what is known of a way back, the reasons first."""
    proof = Proof.of_evidence(told)
    yield "Way back", (str(proof.outcome), "text")
    for problem in proof.problems:
        yield "Does not come back", (problem, "text")
    for loss in proof.losses:
        yield "Declared irreversible", (str(loss), "text")
    for row in proof.newcomers:
        yield "Rows of the new schema", (row, "text")
    for why in proof.untried:
        yield "Not tried", (why, "text")
    for remark in proof.remarks:
        yield "Noted", (remark, "text")
    for one in proof.neutralised:
        yield "Cut off", (one, "text")
    yield "Clone", (proof.clone_bytes, "size")
    yield "Scripts", (proof.scripts, "digest")


def proof_tables(told: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...], list[tuple[Value, ...]]]]:
    """Yield what was tried, and what each statement did on the clone."""
    proof = Proof.of_evidence(told)
    tried: list[tuple[Value, ...]] = [
        ((one.what, "text"), ("passed" if one.is_good else "failed", "state"), (one.seconds, "seconds"))
        for one in proof.tries
    ]
    yield "What was tried", ("What", "Verdict", "#Took"), tried
    heads = ("Statement", "Locks", "Rewrites", "#Rows", "#WAL at most", "#Temporary files", "#Took on the clone")
    rows: list[tuple[Value, ...]] = []
    for one in proof.traced:
        locks = "; ".join(f"{relation}: {mode}" for relation, mode in one.locks) or "none that were there before"
        rows.append(
            (
                (f"{one.migration}, {one.direction}, line {one.line}: {one.kind}", "text"),
                (f"{locks} (looked at meanwhile)" if one.is_sampled else locks, "text"),
                (", ".join(one.rewrites) or "nothing", "text"),
                ("none", "text") if one.rows is None else (one.rows, "number"),
                ("not-measured", "state") if one.wal_bytes is None else (one.wal_bytes, "size"),
                ("not-measured", "state") if one.temp_bytes is None else (one.temp_bytes, "size"),
                (round(one.seconds, 3), "seconds"),
            )
        )
    yield "What each statement did", heads, rows
