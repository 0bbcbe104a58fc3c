"""A folder of migrations as it is judged: one after the other, each on the schema that those before it leave behind."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from checks.context import World
from checks.errors import Unparsable
from checks.finding import Report
from checks.layouts import Layout, MigrationFiles, read_files, text_of
from checks.layouts.errors import require_utf8
from checks.model import EMPTY, UNKNOWN, Schema
from checks.model.coding import encode
from checks.model.replay import replay_script
from checks.output.judged import Judged, Placed
from checks.project.base import files_at, merge_base
from checks.project.cache import Memory, digest
from checks.project.files import MAX_JUDGED_FILE_BYTES, folder_below
from checks.project.history import history_findings
from checks.project.remembered import Remembered
from checks.project.reviews import review_of
from checks.report import Part, follow, judge, unanalysed
from checks.reviewing.review import Review
from checks.statements import parse


@dataclass(frozen=True, slots=True)
class Project:
    """The migrations of a folder in their order, and what is known of before.

    `shown` is the folder as a path from here, ending in a slash, or "". `base` are the migrations where the work of now
    began, `tip` those at the newest commit of the base; both None when no base was named.
    """

    layout: Layout
    shown: str
    migrations: tuple[MigrationFiles, ...]
    base: tuple[MigrationFiles, ...] | None = None
    tip: tuple[MigrationFiles, ...] | None = None

    def is_new(self, migration: MigrationFiles) -> bool:
        """True for what is not the same at the base: it is judged. Without a base everything is."""
        if self.base is None:
            return True
        known = {one.name: one for one in self.base}.get(migration.name)
        return known is None or (known.forward, known.rollback, known.verify) != (
            migration.forward,
            migration.rollback,
            migration.verify,
        )


def read_project(path: Path, layout: Layout, *, base: str = "", files: Mapping[str, bytes] | None = None) -> Project:
    """Return what a folder holds now and, where a base is named, what it held there.

    `files` are those of the folder where they were read already. Raises what `read_files`, the layout and
    `files_at` raise.
    """
    folder = folder_below(path, layout.folders)
    shown = _shown(folder)
    migrations = layout.read(read_files(path, layout, largest=MAX_JUDGED_FILE_BYTES) if files is None else files)
    if not base:
        return Project(layout, shown, migrations)
    began, tip = (_migrations_at(folder, commit, layout) for commit in (merge_base(folder, base), base))
    return Project(layout, shown, migrations, began, tip)


def _shown(folder: Path) -> str:
    """Return a folder as it is written before a path: from here, where it lies below, as editors and CI want it."""
    here, there = Path.cwd(), folder.absolute()
    shown = str(there.relative_to(here) if there.is_relative_to(here) else folder)
    return "" if shown == "." else f"{shown}/"


def _migrations_at(folder: Path, commit: str, layout: Layout) -> tuple[MigrationFiles, ...]:
    files = files_at(folder, commit)
    return layout.read(files) if layout.matches(files) else ()


@dataclass(frozen=True, slots=True)
class Start:
    """Where the first migration begins: on an empty database, or on one that was read and has some already.

    `is_sized` when it was read: then sizes are known.
    """

    version: int
    schema: Schema = EMPTY
    applied: frozenset[str] = frozenset()
    is_sized: bool = False


def judged(
    project: Project, start: Start, *, style: bool = False, memory: Memory | None = None, reviewed: bool = False
) -> Iterator[Judged]:
    """Yield every script of every new migration, judged on the schema it meets; the others are only followed.

    The way back and the verify script are judged on what the forward script leaves behind. What `memory` knows is not
    judged again. Forward scripts are `reviewed` too on request. Raises NotUtf8.
    """
    memory = memory or Memory()
    schema = _start(project, start, memory)
    way = _Way(project, schema, digest(start.version, json.dumps(encode(schema))), memory)
    # What goes out together is compared with what was there before all of it; a whole history never did.
    since = _Since() if project.base is not None or start.applied else None
    for migration in project.migrations:
        if migration.name in start.applied:
            continue
        if not project.is_new(migration):
            way.pass_by(migration)
            continue
        world = World(UNKNOWN, start.version, wraps_in_transaction=migration.is_transactional is not False)
        review = _Reviewing(way, migration, world, since) if reviewed else None
        parts = [_judge(way, migration, Part.FORWARD, world, style=style)]
        wraps = {Part.ROLLBACK: migration.is_rollback_transactional is not False, Part.VERIFY: True}
        for part, is_wrapped in wraps.items():
            if getattr(migration, part) is not None:
                parts.append(_judge(way, migration, part, replace(world, wraps_in_transaction=is_wrapped), style=style))
        if review is not None:
            parts[0] = review.add_to(parts)
        yield from parts


@dataclass(slots=True)
class _Since:
    """How far the history was followed where the first new migration begins; None before that."""

    way: _Way | None = None


class _Reviewing:
    """One migration that is about to be judged, and then reviewed, unless that is remembered."""

    def __init__(self, way: _Way, migration: MigrationFiles, world: World, since: _Since | None) -> None:
        self.way, self.migration, self.since = way, migration, since
        self.key = way.key_of_review(migration, world, (since.way or way).place if since else "")
        self.known = way.memory.review(self.key)
        self.world = replace(world, schema=way.schema) if self.known is None else world
        if since is not None and since.way is None:
            since.way = way.copy()

    def add_to(self, parts: list[Judged]) -> Judged:
        """Return the forward script, the first of these, with the review of all, which is written of it too."""
        first = parts[0]
        shelf = _Shelf(self.way.memory, digest(first.shelf.key, self.key)) if isinstance(first.shelf, _Shelf) else None
        return replace(first, review=self._of(parts), shelf=shelf)

    def _of(self, parts: list[Judged]) -> Review:
        if self.known is None:
            reports = {one.part: one.report for one in parts}
            old = self.since.way.schema if self.since and self.since.way else None
            self.known = review_of(self.way.project.layout, self.migration, self.world, reports, old=old)
            self.way.memory.keep_review(self.key, self.known)
        return self.known


class _Way:
    """How far a history has been followed. The schema is made when it is asked for: what is remembered needs none.

    `place` names all that went before and the version of the server, so that it says whether a script meets the same
    world as it did another time.
    """

    def __init__(self, project: Project, schema: Schema, place: str, memory: Memory) -> None:
        self.project, self.memory, self.place = project, memory, place
        self._schema = schema
        self._passed: list[tuple[MigrationFiles, str]] = []

    def copy(self) -> _Way:
        """Return this place, to stay there while the other goes on."""
        other = _Way(self.project, self._schema, self.place, self.memory)
        other._passed = list(self._passed)
        return other

    def pass_by(self, migration: MigrationFiles) -> None:
        """Go on behind a migration without looking at what it does."""
        self.place = digest(self.place, self._script(migration, Part.FORWARD))
        self._passed.append((migration, self.place))

    def key(self, migration: MigrationFiles, part: Part, world: World, *, style: bool) -> str:
        """Return a name for a judgement: of the script, of all before it, and of how it is judged."""
        script = self._script(migration, part)
        return digest(self.place, script, part.value, world.wraps_in_transaction, style)

    def key_of_review(self, migration: MigrationFiles, world: World, since: str) -> str:
        """Return a name for a review: of all the files, of what is before them, and of where old code is."""
        scripts = [self._script(migration, part) for part in Part if getattr(migration, part) is not None]
        wraps = world.wraps_in_transaction, migration.is_rollback_transactional
        return digest("review", self.place, scripts, migration.notes or b"", wraps, since)

    def _script(self, migration: MigrationFiles, part: Part) -> str:
        how = (self.project.layout.name, migration.name, migration.paths.get(part), migration.unknown.get(part))
        return digest(getattr(migration, part), how)

    def arrive(self, migration: MigrationFiles, schema: Schema) -> None:
        """Go on behind a migration that leaves this schema behind."""
        self.pass_by(migration)
        self._schema, self._passed = schema, []
        self.memory.keep_schema(self.place, schema)

    @property
    def schema(self) -> Schema:
        """The schema that the next script meets: what came after the last place that is remembered is followed."""
        known = None
        behind: list[tuple[MigrationFiles, str]] = []
        while self._passed and (known := self.memory.schema(self._passed[-1][1])) is None:
            behind.append(self._passed.pop())
        schema = known or self._schema
        for migration, place in reversed(behind):
            schema = _follow(self.project, schema, migration)
            self.memory.keep_schema(place, schema)
        self._schema, self._passed = schema, []
        return schema


def before_first(script: str, version: int) -> Schema:
    """Return the schema before the first script of a history: an empty one, if it does with that.

    One that names what it did not make began on a database that had something before: then nothing is known. One that
    makes the same thing twice fails on any.
    """
    try:
        context = follow(parse(script), World(EMPTY, version))
    except Unparsable:
        return UNKNOWN
    return UNKNOWN if any(seen.effects.fails and not seen.effects.repeats for seen in context.seen) else EMPTY


def _start(project: Project, start: Start, memory: Memory) -> Schema:
    if start.is_sized or not project.migrations:
        return start.schema
    first = project.migrations[0]
    text = require_utf8(first.paths[Part.FORWARD], first.forward)
    key = digest("begins empty", start.version, text)
    begins_empty = memory.answer(key)
    if begins_empty is None:
        begins_empty = before_first(text, start.version) is EMPTY
        memory.keep_answer(key, begins_empty)
    return EMPTY if begins_empty else UNKNOWN


def placed(project: Project) -> tuple[Placed, ...]:
    """Return what is found about the files as such: order, versions, changes since the base, missing ways back."""
    found = history_findings(project.migrations, base=project.base or (), tip=project.tip or ())
    return tuple(Placed(f"{project.shown}{path}", finding) for path, finding in found)


def _judge(way: _Way, migration: MigrationFiles, part: Part, world: World, *, style: bool) -> Judged:
    """Return the judgement of one part, and go on behind the forward one."""
    project, path = way.project, migration.paths[part]
    text = require_utf8(path, getattr(migration, part))
    key = way.key(migration, part, world, style=style)
    report: Report | Remembered | None = way.memory.report(key)
    if report is None:
        world = replace(world, schema=way.schema)
        try:
            made = judge(text_of(project.layout, migration, part), part=part, world=world, style=style)
        except Unparsable as error:  # what would be sent is not all in the file
            made = unanalysed(error, world)
        way.memory.keep_report(key, made)
        if part is Part.FORWARD:
            way.arrive(migration, made.after)
        report = made
    elif part is Part.FORWARD:
        way.pass_by(migration)
    place = f"{project.shown}{path}"
    return Judged(place, part, text, report, migration.name, shelf=_Shelf(way.memory, digest(key, place)))


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What was written of one script before, in the memory of the whole. `key` is of all that it is written of."""

    memory: Memory
    key: str

    def taken(self, kind: str) -> str | None:
        return self.memory.text(f"{kind} {self.key}")

    def put(self, kind: str, text: str) -> None:
        self.memory.keep_text(f"{kind} {self.key}", text)


def _follow(project: Project, schema: Schema, migration: MigrationFiles) -> Schema:
    try:
        return replay_script(schema, parse(text_of(project.layout, migration, Part.FORWARD)))
    except Unparsable as error:
        return schema.doubting(f"{migration.name} cannot be analysed (line {error.line}: {error.problem})")
