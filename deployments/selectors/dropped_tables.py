"""What a rollback counted before its scripts, and whom it told, as facts and tables of a page."""

from collections.abc import Iterable, Mapping
from typing import Any

from deployments.selectors.price_tables import SURE

Value = tuple[Any, str]


def told_facts(evidence: Mapping[str, Any]) -> Iterable[tuple[str, Value]]:
    """Yield what became of telling the deployment system, and what was not counted."""
    if hook := evidence.get("hook"):
        yield "Told at", (hook["address"] or "no address", "code")
        yield "Answer", (f"status {hook['status']}" if hook["status"] else "none", "text")
        yield "Answered after", (hook["milliseconds"], "ms")
        yield "From version", (hook["from"] or "not known", "code")
        yield "To version", (hook["to"] or "not known", "code")
        if hook["why"]:
            yield "Not taken", (hook["why"], "text")
    if version := evidence.get("version"):
        yield "Version seen", (version["seen"] or "none", "code")
        yield "Waited for it", (version["seconds"], "seconds")
    for told in evidence.get("dropped", {}).get("untold", ()):
        yield "Not counted", (told, "text")


def dropped_tables(evidence: Mapping[str, Any]) -> Iterable[tuple[str, tuple[str, ...], list[tuple[Value, ...]]]]:
    """Yield what the scripts drop, and which rows do not fit the old schema: title, heads, rows."""
    dropped = evidence.get("dropped", {})
    heads = ("What", "#There", "#Written since at most", "#Lost at most", "How sure")
    going: list[tuple[Value, ...]] = [
        ((one["name"], "code"), *(_number(one[part]) for part in ("count", "since", "lost")), (_how(one), "text"))
        for one in dropped.get("going", ())
    ]
    yield "What the scripts drop", heads, going
    unfit: list[tuple[Value, ...]] = [
        ((one["what"], "text"), _number(one["count"]), (one["why"], "text")) for one in dropped.get("unfit", ())
    ]
    yield "Rows that do not fit the old schema", ("In what respect", "#Rows", "Why not counted"), unfit


def _number(value: int | None) -> Value:
    return ("not-measured", "state") if value is None else (value, "number")


def _how(one: Mapping[str, Any]) -> str:
    declared = " Declared irreversible." if one["is_declared"] else ""
    return f"{SURE[one['sure']]}. {one['why']}{declared}".strip()
