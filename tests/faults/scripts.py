"""The migrations of a campaign: random ones whose effects can be counted, slow enough for a fault to land in them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FEWEST, MOST = 3, 5
COUNTED_ROWS, BATCH = 1200, 150
BIG_ROWS = 500_000  # more than DISK_BYTES of them
LEDGER_ROWS = 10_000
PREPARE = f"""
CREATE TABLE effects (id bigint GENERATED ALWAYS AS IDENTITY, migration text NOT NULL);
CREATE TABLE ledger (id int PRIMARY KEY, points int NOT NULL, partner int NOT NULL);
INSERT INTO ledger SELECT n, n * 7919 % 10007, n % 97 FROM generate_series(1, {LEDGER_ROWS}) n;
CREATE TABLE counted (id int PRIMARY KEY, times int NOT NULL DEFAULT 0);
INSERT INTO counted SELECT generate_series(1, {COUNTED_ROWS});
ANALYZE counted;
CREATE FUNCTION slowly(value int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    'BEGIN PERFORM pg_sleep(0.01); RETURN value; END';
"""
"""What a target has before its first migration."""


@dataclass(frozen=True)
class Written:
    """One migration: its text, and what the target shows once it was applied, exactly once."""

    name: str
    forward: str
    transactional: bool
    table: str = ""
    made: tuple[str, ...] = ()  # indexes
    dropped: tuple[str, ...] = ()
    statements: int = 0  # that are recorded one by one
    counts: bool = False  # leaves its name in the table of effects
    batched: bool = False  # raises every counter by one


def write(
    source: Path, *, after: Sequence[Written], random: random.Random, slow: bool = False, big: bool = False
) -> list[Written]:
    """Write three to five migrations behind those there are, at least one of each kind, and return them.

    Slow ones take seconds, so that two executors can meet in one statement. Big ones fill a disk.
    """
    makers = [in_transaction, by_itself, in_batches]
    makers += random.choices(makers, k=random.randint(FEWEST, MOST) - len(makers))
    random.shuffle(makers)
    written: list[Written] = []
    for number, maker in enumerate(makers, start=len(after) + 1):
        one = maker(number, [*after, *written], random, slow=slow, big=big)
        (source / f"{one.name}.up.sql").write_text(one.forward)
        (source / f"{one.name}.down.sql").write_text("SELECT 1;\n")
        written.append(one)
    return written


def in_transaction(number: int, _before: Sequence[Written], random: random.Random, *, big: bool, **_: bool) -> Written:
    """Return a migration that makes a table and counts itself: run twice without care, it would count two."""
    name, table = f"{number:04}_table", f"t_{number:04}"
    sleeps = [f"SELECT pg_sleep({random.uniform(0.05, 0.3):.2f});" for _ in range(2)]
    lines = [
        f"INSERT INTO effects (migration) VALUES ('{name}');",
        sleeps[0],
        f"CREATE TABLE IF NOT EXISTS {table} (id int);",
        f"INSERT INTO {table} SELECT generate_series(1, {BIG_ROWS if big else 100});",
        sleeps[1],
        f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS points int;",
    ]
    return Written(name, "\n".join(lines) + "\n", transactional=True, table=table, counts=True)


def by_itself(number: int, before: Sequence[Written], random: random.Random, *, slow: bool, **_: bool) -> Written:
    """Return a migration of one or two index statements that refuse a transaction, perhaps with one that counts it."""
    name = f"{number:04}_index"
    lines, made, dropped = [], [], []
    for letter in "ab"[: random.randint(1, 2)]:
        standing = sorted({one for earlier in before for one in earlier.made} - {d for b in before for d in b.dropped})
        if letter == "b" and standing and random.random() < 0.5:
            dropped.append(random.choice(standing))
            lines.append(f"DROP INDEX CONCURRENTLY {dropped[-1]};")
            continue
        made.append(f"i_{number:04}_{letter}")
        quick = ["(points)", "(partner, points)", "(slowly(id)) WHERE id <= 25"]
        column = "(slowly(id)) WHERE id <= 200" if slow else random.choice(quick)
        lines.append(f"CREATE INDEX CONCURRENTLY {made[-1]} ON ledger {column};")
    if counts := random.random() < 0.5:  # beside the others, it has a transaction of its own
        lines.insert(random.randint(0, len(lines)), f"INSERT INTO effects (migration) VALUES ('{name}');")
        lines.insert(0, "-- locktender: no-transaction")
    return Written(
        name,
        "\n".join(lines) + "\n",
        transactional=False,
        made=tuple(made),
        dropped=tuple(dropped),
        statements=len(made) + len(dropped) + counts,
        counts=counts,
    )


def in_batches(number: int, _before: Sequence[Written], random: random.Random, *, slow: bool, **_: bool) -> Written:
    """Return a migration that raises every counter by one: a row that is taken twice counts two."""
    name = f"{number:04}_count"
    seconds = 0.3 if slow else random.uniform(0.01, 0.08)
    comment = f"-- locktender: batch table=counted key=id size={BATCH}"
    text = f"UPDATE counted SET times = times + 1 + (SELECT length(pg_sleep({seconds:.2f})::text))"
    return Written(name, f"{comment}\n{text};\n", transactional=False, statements=1, batched=True)
