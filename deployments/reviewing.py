"""The policy's review checklist for the migrations of a plan, as results. Nothing is written here."""

from collections.abc import Collection, Mapping, MutableMapping, Sequence
from dataclasses import asdict
from typing import Any

from checks.context import World
from checks.finding import Report
from checks.layouts import MigrationFiles
from checks.phases import Contract
from checks.reviewing.checklist import checklist
from checks.reviewing.values import CiResult, Subject
from deployments.models import Migration


def reviewed(
    migrations: Sequence[Migration],
    worlds: Mapping[str, World],
    contracts: Collection[Contract] = (),
    tests: CiResult | None = None,
    reports: MutableMapping[str, Report] | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Return the checklist of each migration by its name, in the order they run.

    `worlds` has what each of them meets. `reports` are judgements there: what they followed and estimated is not done
    again, and they are taken out, so that it does not stay in memory. `contracts` are those whose time has come, and
    `tests` what CI reported about the application on the commit, if it did.
    """
    old = worlds[migrations[0].name].schema if migrations else None
    found = {}
    for one in migrations:
        mine = [contract for contract in contracts if contract.migration == one.name]
        is_ready = True if mine else None
        subject = Subject(_files(one), worlds[one.name], old=old, contracts=mine, is_ready=is_ready, tests=tests)
        known = reports.pop(one.name, None) if reports else None
        items = checklist(
            subject,
            forward=(known.context or known.unparsable) if known else None,
            estimated=known.estimates if known and known.context else None,
        )
        found[one.name] = [asdict(item) for item in items]
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
