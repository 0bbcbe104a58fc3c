"""A proof of a way back as facts and tables: a label and a cell, a title with its heads and rows of cells.

A cell is a value and how it is written, as `deployments.selectors.evidence.Cell` takes it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from checks.rehearsal.proof import Proof, here

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
    if proof.masked:
        yield "Masked", (proof.masked, "text")
    yield "Queries planned before and after", (proof.queries, "number")
    for one in proof.unplanned:
        yield "Not planned", (one, "text")
    yield "Clone", (proof.clone_bytes, "size")
    yield "Scripts", (proof.scripts, "digest")


def proof_tables(
    told: Mapping[str, Any], target_bytes: int | None = None
) -> Iterator[tuple[str, tuple[str, ...], list[tuple[Value, ...]]]]:
    """Yield what was tried, what each statement did on the clone, and which queries are planned worse.

    `target_bytes` is how large the target is, as last read: what a time on the clone lets one expect depends on it.
    """
    proof = Proof.of_evidence(told)
    tried: list[tuple[Value, ...]] = [
        ((one.what, "text"), ("passed" if one.is_good else "failed", "state"), (one.seconds, "seconds"))
        for one in proof.tries
    ]
    yield "What was tried", ("What", "Verdict", "#Took"), tried
    heads = ("Statement", "Locks", "Rewrites", "#Rows", "#WAL at most", "#Temporary files", "Took")
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
                (here(one, clone_bytes=proof.clone_bytes, target_bytes=target_bytes), "text"),
            )
        )
    yield "What each statement did", heads, rows
    worse: list[tuple[Value, ...]] = [((one.query, "code"), (one.sentence, "text")) for one in proof.plans]
    yield "Queries that are planned worse", ("Query", "Found"), worse
