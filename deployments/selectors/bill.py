"""What the application paid for a file or a dump that the guard stopped, in the words of a page."""

from collections.abc import Iterable, Mapping
from typing import Any

NOT_TOLD = "not told by the server"
Written = tuple[Any, str]  # a value, and how it is written: the kind of a cell


def in_short(bill: Mapping[str, Any]) -> str:
    """Return a bill as sessions times seconds."""
    count = bill["most_waiting"]
    return f"{count} session{'' if count == 1 else 's'} × {bill['oldest_seconds']:.1f}\u00a0s"  # noqa: RUF001 # times


def bill_facts(bill: Mapping[str, Any]) -> Iterable[tuple[str, Written]]:
    """Yield what a bill says in single values: label, value and kind. What is not told is said so."""
    total = bill["total_seconds"] + bill["earlier_seconds"]
    yield "Bill", (f"{in_short(bill)}, {total:.1f}\u00a0s in all", "text")
    if over := bill.get("over"):
        yield "Stopped, because", (over["text"], "text")
    if (server := bill.get("server")) is None:
        yield "Server and replicas", ("not measured", "text")
        return
    percent = server["connections_percent"]
    yield "Connections in use, at most", (NOT_TOLD if percent is None else f"{percent:.0f}\u00a0%", "text")
    replica = server["replica"]
    if not replica["count"]:
        yield "Replicas", ("none is connected", "text")
    elif replica["bytes"] is None:
        yield "Replicas fell behind by", (NOT_TOLD, "text")
    else:
        yield "Replicas fell behind by", (replica["bytes"], "size")
    kept, free = server["wal_bytes"], server["free_disk_bytes"]
    yield "WAL kept back for slots", (NOT_TOLD, "text") if kept is None else (kept, "size")
    yield "Free disk of the server, at least", (NOT_TOLD, "text") if free is None else (free, "size")


def bill_tables(bill: Mapping[str, Any]) -> Iterable[tuple[str, tuple[str, ...], list[tuple[Written, ...]]]]:
    """Yield what a bill says in rows: title, heads, rows. The dearest stands first."""
    yield (
        "Statements that waited, without their values",
        ("Statement", "#Sessions", "#Waited"),
        [((one["query"], "code"), *_paid(one)) for one in bill["queries"]],
    )
    yield (
        "Tables they waited for",
        ("Table", "#Sessions", "#Waited"),
        [((one["table"], "code"), *_paid(one)) for one in bill["tables"]],
    )
    yield (
        "Who waited",
        ("User", "Application", "#Sessions", "#Waited"),
        [
            ((one["user"], "code"), (one["application"] or "unnamed", "text"), *_paid(one))
            for one in bill["users"]
        ],
    )  # fmt: skip


def _paid(one: Mapping[str, Any]) -> tuple[Written, ...]:
    return (one["sessions"], "number"), (f"{one['seconds']:.2f}\u00a0s", "text")
