"""Taking the migrations of a source into the record: by content, so that the same bytes are nothing new."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from checks.layouts import Layout, MigrationFiles
from deployments.actors import Actor
from deployments.models import Application, Migration, Release, ReleaseMigration, Script
from deployments.selectors.history import applied_checksums
from deployments.services.audit import record
from deployments.sources.found import Found


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync found. Names, in the layout's order."""

    release: Release
    new: tuple[str, ...]
    changed: tuple[str, ...]  # other bytes under a known name
    violations: tuple[str, ...]  # changed forward bytes of something that is applied somewhere
    gone: tuple[str, ...] = ()  # was in the source at the last sync, and is not any more


def sync(application: Application, *, found: Found, commit: str, actor: Actor) -> Synced:
    """Store the migrations that a source holds as a release, and return what is new about it.

    The files were read before, outside of any transaction. A violation is stored and told, never refused: the record
    shows what the team's repository says, and the plan refuses to run on it.
    """
    with transaction.atomic():
        Application.objects.select_for_update().get(pk=application.pk)  # one sync of an application at a time
        known: dict[str, set[str]] = {}
        for name, digest in Migration.objects.filter(application=application).values_list("name", "digest"):
            known.setdefault(name, set()).add(digest)
        _store_scripts(found)
        stored = [_store(application, one, found.layout) for one in found.migrations]
        new = tuple(one.name for one in stored if one.name not in known)
        changed = tuple(one.name for one in stored if one.digest not in known.get(one.name, {one.digest}))
        beside = {name: None if body is None else _script(body) for name, body in _beside(found).items()}
        applied = applied_checksums(application)
        violations = tuple(one.name for one in stored if applied.get(one.name, {one.checksum}) != {one.checksum})
        last = application.releases.order_by("-id").first()
        before = last.entries.values_list("migration__name", flat=True) if last else ()
        gone = tuple(name for name in before if name not in {one.name for one in stored})
        release = _release(application, stored, beside, commit, last)
        if release != last:
            after = {"new": new, "changed": changed, "violations": violations, "gone": gone, "migrations": len(stored)}
            record(actor, "release.synced", release, after=after)
    return Synced(release, new, changed, violations, gone)


def _store_scripts(found: Found) -> None:
    """Store the scripts that are new, in one order: two syncs that have some in common would end in a deadlock."""
    every = [body for files in found.migrations for body in _parts(files).values()]
    every += _beside(found).values()
    bodies = {hashlib.sha256(body).hexdigest(): body for body in every if body is not None}
    there = set(Script.objects.filter(sha256__in=bodies).values_list("sha256", flat=True))
    new = [Script(sha256=digest, body=bodies[digest]) for digest in sorted(bodies.keys() - there)]
    Script.objects.bulk_create(new, ignore_conflicts=True)


def _beside(found: Found) -> dict[str, bytes | None]:
    """Return what lies beside the migrations, by the fields of a release."""
    return {"smoke": found.smoke, "masking": found.masking, "queries": found.queries}


def _parts(files: MigrationFiles) -> dict[str, bytes | None]:
    return {"forward": files.forward, "rollback": files.rollback, "verify": files.verify, "notes": files.notes}


def _store(application: Application, files: MigrationFiles, layout: Layout) -> Migration:
    scripts = {part: None if body is None else _script(body) for part, body in _parts(files).items()}
    addresses = "\n".join(f"{part} {script.sha256 if script else ''}" for part, script in scripts.items())
    migration, _ = Migration.objects.get_or_create(
        application=application,
        name=files.name,
        digest=hashlib.sha256(addresses.encode()).hexdigest(),
        defaults={"version": files.version, "checksum": layout.checksum(files.forward), **scripts},
    )
    return migration


def _script(body: bytes) -> Script:
    script, _ = Script.objects.get_or_create(sha256=hashlib.sha256(body).hexdigest(), defaults={"body": body})
    return script


def _release(
    application: Application,
    migrations: list[Migration],
    beside: Mapping[str, Script | None],
    commit: str,
    last: Release | None,
) -> Release:
    """Return the last release if it is this one, else a new one."""
    lines = [f"{one.name} {one.digest}" for one in migrations]
    lines += [f"{name} {script.sha256}" for name, script in beside.items() if script is not None]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    if last is not None and (last.commit, last.digest) == (commit, digest):
        return last
    release = Release.objects.create(application=application, commit=commit, digest=digest, **beside)
    ReleaseMigration.objects.bulk_create(
        ReleaseMigration(release=release, migration=one, position=place)
        for place, one in enumerate(migrations, start=1)
    )
    return release
