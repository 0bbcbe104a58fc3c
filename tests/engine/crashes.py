"""What a migration must be like for an executor to come by each named place, and what there is when all went well."""

from dataclasses import dataclass

import psycopg
import pytest

from tests.engine.conftest import Rewards

TABLES = (
    "CREATE TABLE users (id int PRIMARY KEY, name text)",
    "INSERT INTO users SELECT n, 'n' FROM generate_series(1, 9) n",
)


@dataclass(frozen=True)
class Scene:
    """Migrations of one kind, and queries with the answers that show that each was applied once."""

    files: tuple[str, ...]
    proofs: tuple[tuple[str, object], ...]
    has_leftover: bool = False
    is_verified: bool = False  # the policy asks for a backup that is restored first


IN_TRANSACTIONS = Scene(
    files=("INSERT INTO users (id) VALUES (10)", "UPDATE users SET id = id + 100"),
    proofs=(("SELECT count(*), min(id), max(id) FROM users", (10, 101, 110)),),
)
ALONE = Scene(
    files=(
        "CREATE INDEX CONCURRENTLY by_name ON users (name)",
        "VACUUM users",
    ),
    proofs=(("SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indexrelid = 'by_name'::regclass", (1, True)),),
)
LEFTOVER = Scene(files=ALONE.files, proofs=ALONE.proofs, has_leftover=True)
BATCHED = Scene(
    files=("-- locktender: batch table=users key=id size=2\nUPDATE users SET name = name || '+'",),
    proofs=(("SELECT DISTINCT name FROM users", ("n+",)),),
)
VERIFIED = Scene(files=IN_TRANSACTIONS.files, proofs=IN_TRANSACTIONS.proofs, is_verified=True)
SCENES = {
    "claimed": IN_TRANSACTIONS,
    "step-started": IN_TRANSACTIONS,
    "backup-dumped": VERIFIED,
    "backup-unrecorded": VERIFIED,
    "restore-created": VERIFIED,
    "restore-filled": VERIFIED,
    "verified-unrecorded": VERIFIED,
    "statement-about-to-start": IN_TRANSACTIONS,
    "before-commit": IN_TRANSACTIONS,
    "migration-committed": IN_TRANSACTIONS,
    "step-done-unrecorded": IN_TRANSACTIONS,
    "all-steps-done": IN_TRANSACTIONS,
    "statement-intended": ALONE,
    "statement-acted": ALONE,
    "statement-done": ALONE,
    "leftover-cleared": LEFTOVER,
    "batch-before-commit": BATCHED,
    "batch-committed": BATCHED,
}
"""The scene of every named place. One without a scene fails a test."""


def prepare(rewards: Rewards, scene: Scene) -> None:
    """Put tables into staging, and the files of a scene beside them."""
    with rewards.connect() as opened:
        for statement in TABLES:
            opened.execute(statement)
    for number, text in enumerate(scene.files, start=1):
        rewards.write(f"{number:03}_file", text)
    rewards.sync()


def leave_half_an_index(rewards: Rewards) -> None:
    """Leave what a build leaves that was cut off: an INVALID index."""
    with rewards.connect() as old, rewards.connect() as building:
        old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT count(*) FROM users")  # the end of a build waits for this snapshot
        building.execute("SET statement_timeout = '300ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            building.execute("CREATE INDEX CONCURRENTLY by_name ON users (name)")
