"""A migration as it is rehearsed: both directions, what is asked after it, and what of it cannot be played."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from checks.integrity.questions import Check, expectations
from checks.rehearsal.declared import irreversible
from checks.rehearsal.proof import scripts_digest
from checks.statements import Statement, parse
from deployments.postgres.ledger import FORWARD, ROLLBACK
from deployments.postgres.script import Script, prepare

# These reach beyond the clone: by its name to the real database, or to the whole server, which may be the target's.
BEYOND = {
    "AlterSystemStmt", "CreatedbStmt", "DropdbStmt", "AlterDatabaseStmt", "AlterDatabaseSetStmt",
    "AlterDatabaseRefreshCollStmt", "CreateTableSpaceStmt", "DropTableSpaceStmt", "AlterTableSpaceOptionsStmt",
    "CreateRoleStmt", "AlterRoleStmt", "AlterRoleSetStmt", "DropRoleStmt", "GrantRoleStmt", "ReassignOwnedStmt",
    "DropOwnedStmt", "CreateSubscriptionStmt", "AlterSubscriptionStmt", "DropSubscriptionStmt", "LoadStmt",
}  # fmt: skip
SHARED = {"OBJECT_DATABASE", "OBJECT_ROLE", "OBJECT_TABLESPACE", "OBJECT_SUBSCRIPTION"}
NAMES_A_KIND = ("objtype", "objectType", "renameType")


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One migration. `rollback` is None where it has none; `beyond` are sentences about what must not be played."""

    name: str
    forward: Script
    rollback: Script | None
    checks: tuple[Check, ...]
    irreversible: tuple[str, ...]
    beyond: tuple[str, ...]


def rehearsed(name: str, *, forward: str, rollback: str | None, verify: str | None = None) -> Rehearsed:
    """Return a migration ready to be rehearsed. Raises checks.errors.CheckError for what cannot be read."""
    texts = [text for text in (forward, rollback) if text is not None]
    return Rehearsed(
        name=name,
        forward=_script(name, FORWARD, forward),
        rollback=None if rollback is None else _script(name, ROLLBACK, rollback),
        checks=expectations(verify) if verify else (),
        irreversible=irreversible(*texts),
        beyond=tuple(sentence for text in texts for sentence in _beyond(name, text)),
    )


def digest_of_scripts(migrations: tuple[Rehearsed, ...]) -> str:
    """Return what a proof of these migrations is bound to."""
    scripts = (one for migration in migrations for one in (migration.forward, migration.rollback) if one is not None)
    return scripts_digest((one.entry.migration, one.entry.direction, one.entry.script_sha256) for one in scripts)


def _script(name: str, direction: str, text: str) -> Script:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return prepare(text, migration=name, direction=direction, checksum=digest, script_sha256=digest)


def _beyond(name: str, text: str) -> Iterator[str]:
    for one in parse(text).statements:
        if _reaches_out(one):
            yield f"{one.kind} in line {one.line} of {name} reaches beyond the database, so it is not rehearsed"


def _reaches_out(statement: Statement) -> bool:
    tree = statement.tree
    if tree.tag in BEYOND or (tree.tag == "CopyStmt" and tree.flag("is_program")):
        return True
    return any(tree.enum(field) in SHARED for field in NAMES_A_KIND)
