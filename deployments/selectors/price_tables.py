"""What a restore costs and keeps, as facts and tables of a page: each value with how it is written."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from checks.names import readable

Value = tuple[Any, str]
SURE = {"exact": "exactly", "at-most": "at most", "unknown": "not known"}


def restore_facts(told: Mapping[str, Any]) -> Iterable[tuple[str, Value]]:
    """Yield what a step of a restore found, apart from its tables."""
    if "price" in told:
        yield from _price(told["price"])
    if "kept" in told:
        yield from _kept(told)


def _price(price: Mapping[str, Any]) -> Iterable[tuple[str, Value]]:
    yield "Minutes of traffic", (price["minutes"], "number")
    if price["wal_bytes"] is not None:
        yield "Logged by the whole server", (price["wal_bytes"], "size")
    yield "Tables in which nothing was written", (price["unchanged"], "number")
    for doubt in price["doubts"]:
        yield "Not told", (doubt, "text")


def _kept(told: Mapping[str, Any]) -> Iterable[tuple[str, Value]]:
    yield "Old database", (told["kept"], "code")
    yield "Its size", (told["bytes"], "size")
    yield "Kept until", (f"{datetime.fromisoformat(told['until']):%Y-%m-%d %H:%M} UTC", "text")
    if "unreachable_seconds" in told:
        yield "Nobody could enter for", (told["unreachable_seconds"], "seconds")
        yield "Sessions ended", (told["ended"], "number")


def price_tables(told: Mapping[str, Any]) -> Iterable[tuple[str, tuple[str, ...], list[tuple[Value, ...]]]]:
    """Yield the tables of what is lost, and of what does not come along: title, heads, rows."""
    rows: list[tuple[Value, ...]] = [
        ((readable(one["table"]), "code"), _number(one["written"]), _number(one["gone"]), (_how(one), "text"))
        for one in told.get("price", {}).get("tables", ())
    ]
    yield "What is lost", ("Table", "#Rows written since", "#Rows that are as before again", "How sure"), rows
    yield "What does not come along", ("What",), [((one, "text"),) for one in told.get("not_carried", ())]
    yield "In the way", ("Who",), [((one, "text"),) for one in told.get("in_the_way", ())]


def _number(value: int | None) -> Value:
    return ("not known", "text") if value is None else (value, "number")


def _how(one: Mapping[str, Any]) -> str:
    return f"{SURE[one['sure']]}. {one['why']}" if one["why"] else SURE[one["sure"]]
