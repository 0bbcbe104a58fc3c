"""The policy's review checklist for the migrations of a plan, as results. Nothing is written here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from checks.context import World
from checks.layouts import MigrationFiles
from checks.phases import Contract
from checks.reviewing.checklist import checklist
from checks.reviewing.values import Subject
from deployments.models import Migration


def reviewed(
    migrations: Sequence[Migration], worlds: Mapping[str, World], contracts: Collection[Contract] = ()
) -> dict[str, list[dict[str, Any]]]:
    """Return the checklist of each migration by its name, in the order they run.

    `worlds` has what each of them meets. `contracts` are those whose time has come. What CI would report is not known
    here, and says so.
    """
    old = worlds[migrations[0].name].schema if migrations else None
    found = {}
    for one in migrations:
        mine = [contract for contract in contracts if contract.migration == one.name]
        subject = Subject(_files(one), worlds[one.name], old=old, contracts=mine, is_ready=True if mine else None)
        found[one.name] = [asdict(item) for item in checklist(subject)]
    return found


def _files(one: Migration) -> MigrationFiles:
    return MigrationFiles(
        name=one.name,
        version=one.version,
        forward=bytes(one.forward.body),
        rollback=bytes(one.rollback.body) if one.rollback else None,
        verify=bytes(one.verify.body) if one.verify else None,
        notes=bytes(one.notes.body) if one.notes else None,
        paths={"notes": "notes.md"},
    )
