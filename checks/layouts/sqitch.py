"""Sqitch: `sqitch.plan` with `deploy/`, `revert/` and `verify/<change>.sql`; scripts go through psql as they are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from checks.layouts.base import Client, MigrationFiles
from checks.layouts.beside import BESIDE
from checks.layouts.errors import ForwardMissing, NoMigrations, UnrecognisedFile, is_sql, require_utf8
from checks.layouts.psql import is_framed
from checks.layouts.sqitch_plan import PLAN, Change, changes_of

_PARTS = {"deploy": "forward", "revert": "rollback", "verify": "verify"}


@dataclass(frozen=True, slots=True)
class Sqitch:
    """The changes of the plan, with Sqitch's usual folders beside it. The identity is Sqitch's change_id.

    A change that was reworked stands there several times: as `name`, then as `name#2`, so that a name stays what it was
    when the change is reworked once more and its file goes by another name.
    """

    name: str = "sqitch"
    folders: tuple[str, ...] = ()
    entries: tuple[str, ...] = (PLAN, "sqitch.conf", "deploy", "revert", "verify", *sorted(BESIDE))
    client: Client = Client.PSQL
    order: str = "that of sqitch.plan, where a change stands after what it requires"
    transaction_rule: str = "none of its own: psql runs the script, which has its own BEGIN and COMMIT"
    history: str = "schema sqitch: changes by change_id with script_hash, tags, dependencies, events"

    def matches(self, files: Mapping[str, bytes]) -> bool:
        """True when there is a plan."""
        return PLAN in files

    def read(self, files: Mapping[str, bytes]) -> tuple[MigrationFiles, ...]:
        """Return the changes in the order of the plan. A missing revert script is None; the policy judges it.

        Raises PlanUnreadable, ForwardMissing, NotUtf8, UnrecognisedFile or NoMigrations.
        """
        if PLAN not in files:
            raise NoMigrations(expected=PLAN)
        found = tuple(_migration(change, files) for change in changes_of(require_utf8(PLAN, files[PLAN])))
        if not found:
            raise NoMigrations(expected=f"a change in {PLAN}")
        known = {path for one in found for path in one.paths.values()}
        for path in sorted(files):
            if is_sql(path) and path not in BESIDE and path not in known:
                raise UnrecognisedFile(path=path, expected=f"after a change of {PLAN}")
        return found

    def checksum(self, forward: bytes) -> str:
        """Return the SHA-1 of the deploy script: Sqitch's script_hash."""
        return hashlib.sha1(forward, usedforsecurity=False).hexdigest()


def _migration(change: Change, files: Mapping[str, bytes]) -> MigrationFiles:
    copy = _copy(change, files)
    paths = {part: f"{folder}/{copy}.sql" for folder, part in _PARTS.items() if f"{folder}/{copy}.sql" in files}
    if "forward" not in paths:
        raise ForwardMissing(path=f"Line {change.line} of {PLAN}", expected=f"deploy/{copy}.sql")
    texts = {part: require_utf8(path, files[path]) for part, path in paths.items()}
    return MigrationFiles(
        name=change.name if change.number == 1 else f"{change.name}#{change.number}",
        version="",
        identity=change.identity,
        forward=files[paths["forward"]],
        rollback=files[paths["rollback"]] if "rollback" in paths else None,
        verify=files[paths["verify"]] if "verify" in paths else None,
        paths=paths,
        is_transactional=is_framed(texts["forward"]),
        is_rollback_transactional=is_framed(texts["rollback"]) if "rollback" in texts else None,
    )


def _copy(change: Change, files: Mapping[str, bytes]) -> str:
    """Return the name of a change's files: a reworked one has the first of its tags that there is a file for."""
    copies = [f"{change.name}@{tag}" for tag in change.rework_tags]
    there = (copy for copy in copies if f"deploy/{copy}.sql" in files)
    return next(there, copies[0] if copies else change.name)
