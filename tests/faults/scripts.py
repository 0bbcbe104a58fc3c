"""The migrations of a campaign: random ones whose effects can be counted, slow enough for a fault to land in them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FEWEST, MOST = 2, 4


@dataclass(frozen=True)
class Written:
    """One migration: its text, and what the target shows once it was applied, exactly once."""

    name: str
    forward: str
    transactional: bool
    table: str = ""
    made: tuple[str, ...] = ()  # indexes
    dropped: tuple[str, ...] = ()


def write(source: Path, *, after: Sequence[Written], random: random.Random, slow: bool = False) -> list[Written]:
    """Write two to four migrations behind those there are, at least one of each kind, and return them.

    Slow ones take seconds, so that two executors can meet in one statement.
    """
    count = random.randint(FEWEST, MOST)
    kinds = [True, False, *(random.random() < 0.5 for _ in range(count - 2))]
    random.shuffle(kinds)
    written: list[Written] = []
    for number, transactional in enumerate(kinds, start=len(after) + 1):
        one = (
            in_transaction(number, random)
            if transactional
            else by_itself(number, [*after, *written], random, slow=slow)
        )
        (source / f"{one.name}.up.sql").write_text(one.forward)
        (source / f"{one.name}.down.sql").write_text("SELECT 1;\n")
        written.append(one)
    return written


def in_transaction(number: int, random: random.Random) -> Written:
    """Return a migration that makes a table and counts itself: run twice without care, it would count two."""
    name, table = f"{number:04}_table", f"t_{number:04}"
    sleeps = [f"SELECT pg_sleep({random.uniform(0.05, 0.3):.2f});" for _ in range(2)]
    lines = [
        f"INSERT INTO effects (migration) VALUES ('{name}');",
        sleeps[0],
        f"CREATE TABLE IF NOT EXISTS {table} (id int);",
        f"INSERT INTO {table} SELECT generate_series(1, 100);",
        sleeps[1],
        f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS points int;",
    ]
    return Written(name, "\n".join(lines) + "\n", transactional=True, table=table)


def by_itself(number: int, before: Sequence[Written], random: random.Random, *, slow: bool) -> Written:
    """Return a migration of one or two index statements that refuse a transaction."""
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
    return Written(name, "\n".join(lines) + "\n", transactional=False, made=tuple(made), dropped=tuple(dropped))
