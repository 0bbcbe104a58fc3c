"""Whether the rows of a database are what they were: counts, hashes that do not depend on order, and sequences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from checks.names import qualified
from checks.rehearsal.declared import Key

UNFILLED = "not populated"
"""The digest of a materialized view that was never filled: reading it is an error."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one table at one moment. `why` says why they could not be read; then nothing is known of them."""

    count: int = 0
    digest: str = ""
    columns: tuple[str, ...] = ()  # of the hash, by name
    why: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a sequence stands, and which way it counts. None before it was first used."""

    value: int | None
    increment: int = 1


@dataclass(frozen=True, slots=True)
class Content:
    """What a database holds beside its schema."""

    rows: Mapping[Key, Rows]
    positions: Mapping[Key, Position]


@dataclass(frozen=True, slots=True)
class Unequal:
    """One table or sequence that does not hold what it held, in a sentence. `table` is set where rows differ."""

    sentence: str
    table: Key | None = None


def shown(key: Key) -> str:
    """Return a name as people write it: without the schema public."""
    schema, name = key
    return qualified(name) if schema == "public" else qualified(schema, name)


def unequal(before: Content, after: Content) -> Iterator[Unequal]:
    """Yield what is not as it was. A table or sequence that is missing belongs to the schema, and is not told here.

    A sequence may have gone on, but not back: it would give numbers that are taken.
    """
    for key, was in sorted(before.rows.items()):
        now = after.rows.get(key)
        if now is None or (was.columns != now.columns and not now.why):
            continue
        if was.why or now.why:
            yield Unequal(f"whether the rows of {shown(key)} come back is not known: {was.why or now.why}")
        elif now.digest == UNFILLED != was.digest:
            yield Unequal(f"{shown(key)} comes back without its rows")
        elif was.count != now.count:
            yield Unequal(f"{shown(key)} has {now.count:,} rows instead of {was.count:,}", key)
        elif was.digest != now.digest:
            yield Unequal(f"the {was.count:,} rows of {shown(key)} do not come back as they were", key)
    for key, stood in sorted(before.positions.items()):
        stands = after.positions.get(key)
        if stood.value is None or stands is None:
            continue
        if stands.value is None or (stands.value - stood.value) * stood.increment < 0:
            where = "its beginning" if stands.value is None else f"{stands.value:,}"
            yield Unequal(f"sequence {shown(key)} comes back at {where} instead of {stood.value:,}")


def unseen(content: Content) -> Iterator[str]:
    """Show the comparison of rows what must not be equal, and yield what it did not object to: nothing, if it works."""
    for key, rows in content.rows.items():
        if rows.why:
            continue
        for what, other in (
            ("a row more", replace(rows, count=rows.count + 1)),
            ("another value", replace(rows, digest=f"{rows.digest}0")),
        ):
            mutated = Content({**content.rows, key: other}, content.positions)
            if not any(one.table == key for one in unequal(content, mutated)):
                yield f"{what} in {shown(key)}"
