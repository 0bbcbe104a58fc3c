"""What `checks` says about the scripts of a plan, each on the schema that it will meet. Nothing is written here."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf
from typing import Any

from checks.batching.declared import batches_of
from checks.batching.plain import PlainChange, plain_changes
from checks.changes import Verb
from checks.context import Context, Seen, World
from checks.durations import RATES, UNKNOWN_SPAN, Rates, duration
from checks.errors import Unparsable
from checks.estimate import is_untimed
from checks.finding import Finding, Report, Severity
from checks.lock_rows import lock_rows, not_analysed, quiet_rows
from checks.locks import Mode
from checks.model import UNKNOWN, Name, Schema, Size
from checks.model.replay import replay_script
from checks.model.saved import NUMBERS_PER_MAJOR
from checks.names import qualified
from checks.phases import compatibility, phase_of
from checks.phases.widening import widened
from checks.report import follow, judge
from checks.reviewing.review import proposed
from checks.risk import Classified, Risk
from checks.statements import parse
from deployments.models import Observation


@dataclass(frozen=True, slots=True)
class Judged:
    """What `checks` says about the scripts of a plan. `reasons` are those of the scripts of the highest class.

    `shown` is by migration what pages show of it, and `worst` the lock that lasts longest, `weight` seconds on a slow
    server; where not everything `is_analysed` there may be a longer one. `relations` are those that the scripts name or
    lock. `locks` has the strongest lock on each that stops reads or writes, and `accepted` each finding that a comment
    ignores, as migration, code with line, and reason: who approves the plan accepts them. `worlds` is what each script
    meets. `batches` are the statements that are run in batches, each with what is sent for one, and `plain` the changes
    of rows in one piece, by migration. `reports` are by migration for the review that follows, which takes them out:
    with the trees of all statements they are too large to be kept.
    """

    risk: Risk
    reasons: tuple[str, ...]
    shown: dict[str, Any]
    worst: dict[str, Any] | None
    weight: float
    is_analysed: bool
    relations: frozenset[str]
    locks: tuple[tuple[str, str], ...]
    accepted: tuple[tuple[str, str, str], ...]
    blocking: tuple[tuple[str, Finding], ...]
    worlds: Mapping[str, World]
    batches: tuple[Mapping[str, Any], ...] = ()
    plain: tuple[tuple[str, PlainChange], ...] = ()
    reports: dict[str, Report] = field(default_factory=dict, compare=False, repr=False)


def world_of(
    observation: Observation, applied: Sequence[str], *, is_strict: bool = True, rates: Rates = RATES
) -> World:
    """Return where scripts will run: the schema that was read there, and the version of the server.

    `applied` are the forward scripts that are applied, in order. They are followed where the observation is older than
    the reading of schemas. Then no size is known, and there may be more than they made.
    """
    schema = observation.schema_model()
    if schema is None:
        schema = UNKNOWN
        for text in applied:
            schema = _after(schema, text)
    return World(schema, major_of(observation), is_strict=is_strict, rates=rates)


def major_of(observation: Observation) -> int:
    """Return the major version of the server that was read."""
    return observation.server_version // NUMBERS_PER_MAJOR


def judge_scripts(scripts: Sequence[tuple[str, str]], world: World, asked: Sequence[tuple[str, str]] = ()) -> Judged:
    """Return the judgement of scripts that run one after the other, given as (migration, text).

    `asked` are verify and smoke scripts: they only read, unless a function they call does more. Then they count.
    """
    classes: list[tuple[str, Classified]] = []
    schema = world.schema
    relations: set[str] = set()
    locks: dict[Name, Mode] = {}
    shown: dict[str, Any] = {}
    accepted: list[tuple[str, str, str]] = []
    blocking: list[tuple[str, Finding]] = []
    worst: tuple[float, dict[str, Any]] | None = None
    filled: set[Name] = set()
    made: set[Name] = set()
    worlds: dict[str, World] = {}
    batches: list[dict[str, Any]] = []
    plain: list[tuple[str, PlainChange]] = []
    reports: dict[str, Report] = {}
    for name, text in scripts:
        worlds[name] = replace(world, schema=schema)
        report = reports[name] = judge(text, world=worlds[name])
        filled |= _filled(report)
        made |= _made(report)
        schema = _with_empty_tables(report.after, made - filled)
        classes.append((name, report.classified))
        relations |= set(_relations(report))
        for lock in (lock for seen in report.seen for lock in seen.effects.felt):
            locks[lock.relation] = max(lock.mode, locks.get(lock.relation, lock.mode))
        accepted += [(name, f"{one.code}:{one.line}", one.waived) for one in report.findings if one.waived]
        blocking += [(name, one) for one in report.findings if one.severity is Severity.BLOCKING]
        batches += [{"migration": name, **one} for one in batches_of(report.statements)]
        plain += [(name, one) for one in plain_changes(report.context)] if report.context else []
        shown[name] = _shown(report, world.schema)
        for row, weight in zip(lock_rows(report), _weights(report), strict=True):
            if worst is None or weight > worst[0]:
                told = {key: getattr(row, key) for key in _OF_WORST}
                worst = (weight, {"migration": name, "seconds": None if weight == inf else weight, **told})
    for name, text in asked:
        acts = judge(text, world=replace(world, schema=schema)).classified
        if acts.risk is not Risk.SAFE:
            classes.append((name, acts))
    risk = max((one.risk for _, one in classes), default=Risk.SAFE)
    return Judged(
        risk=risk,
        reasons=tuple(f"{name}: {why}" for name, one in classes if one.risk is risk for why in one.reasons),
        shown=shown,
        worst=worst[1] if worst else None,
        weight=worst[0] if worst else 0,
        is_analysed=not any(seen["unknown"] for seen in shown.values()),
        relations=frozenset(relations),
        locks=tuple(sorted((_full(name), mode.words) for name, mode in locks.items())),
        accepted=tuple(accepted),
        blocking=tuple(blocking),
        worlds=worlds,
        batches=tuple(batches),
        plain=tuple(plain),
        reports=reports,
    )


def gravest(judgements: Iterable[Judged]) -> Judged:
    """Return of several databases' judgements the one that weighs most: by its class, then by its longest lock.

    Locks, relations, what is ignored and what is blocking are those of all of them.
    """
    every = list(judgements)
    locks: dict[str, str] = {}
    for relation, words in (lock for one in every for lock in one.locks):
        locks[relation] = max(words, locks.get(relation, words), key=_mode)
    return replace(
        max(every, key=lambda one: (one.risk, one.weight)),
        locks=tuple(sorted(locks.items())),
        relations=frozenset().union(*(one.relations for one in every)),
        accepted=tuple(dict.fromkeys(found for one in every for found in one.accepted)),
        blocking=tuple(dict.fromkeys(found for one in every for found in one.blocking)),
        plain=tuple(dict.fromkeys(found for one in every for found in one.plain)),
    )


def contexts_of(texts: Iterable[tuple[str, str]], world: World) -> Iterator[tuple[str, Context]]:
    """Yield scripts by name, each with what it does on the schema that those before it leave. Unreadable ones lack."""
    schema = world.schema
    for name, text in texts:
        try:
            context = follow(parse(text), replace(world, schema=schema))
        except Unparsable:
            continue
        schema = context.after
        yield name, context


_FILLS = frozenset({Verb.INSERT, Verb.MERGE, Verb.UNKNOWN, Verb.PROCEDURE, Verb.COPY_PROGRAM})
_MAKES_WITH_ROWS = frozenset({"CREATE TABLE AS", "CREATE MATERIALIZED VIEW", "SELECT"})


def _filled(report: Report) -> set[Name]:
    """Return the relations that a script may have put rows into; every one that is there, if it cannot be told."""
    found: set[Name] = set()
    for seen in report.seen:
        if seen.effects.unknown:
            found |= set(report.after.relations)
        for change in seen.statement.changes:
            if change.table and (change.verb in _FILLS or seen.statement.kind in _MAKES_WITH_ROWS):
                found.add(report.after.place(change.table))
    return found


def _made(report: Report) -> set[Name]:
    """Return the tables that a script makes for certain, by the names they have then."""
    return {
        seen.before.place(change.table)
        for seen in report.seen
        for change in seen.statement.changes
        if change.verb in {Verb.CREATE_TABLE, Verb.CREATE_PARTITION} and not change.if_not_exists
    }


def _with_empty_tables(schema: Schema, names: Collection[Name]) -> Schema:
    """Return a schema in which these tables, which this plan has made and put nothing into, are known to be empty."""
    for name in names:
        one = schema.relations.get(name)
        if one is not None and one.is_table and one.size is None:
            schema = schema.having(replace(one, size=Size(bytes=0, rows=0)))
    return schema


def _after(schema: Schema, text: str) -> Schema:
    try:
        return replay_script(schema, parse(text))
    except Unparsable as error:
        return schema.doubting(f"an applied script that cannot be analysed: line {error.line}, {error.problem}")


def _relations(report: Report) -> Iterator[str]:
    """Yield the relations that a script names or locks, with their schema; one that is not known as it is written."""
    for seen in report.seen:
        for written in seen.statement.relations:
            # As written too: to who acts, a bare name may mean a table of another schema.
            yield written
            if found := seen.before.find(written):
                yield _full(found.name)
        yield from (_full(lock.relation) for lock in seen.effects.locks if not lock.is_new)


_OF_WORST = ("line", "relation", "mode", "blocks", "cost")


def _weights(report: Report) -> Iterator[float]:
    """Yield how long each lock of the lock table lasts, in seconds on a slow server; unknown counts as longest."""
    for seen, about in zip(report.seen, report.estimates, strict=True):
        lasting = {one.relation: inf if one.slow_seconds is None else one.slow_seconds for one in about}
        yield from (lasting[lock.relation] for lock in seen.effects.felt)


def _full(name: Name) -> str:
    return qualified(name.schema, name.name)


def _mode(words: str) -> Mode:
    return Mode[words.replace(" ", "_")]


def _shown(report: Report, old: Schema) -> dict[str, Any]:
    """Return what pages show of one script. `old` is the schema that the application's code was written for."""
    told: dict[str, Any] = {
        "class": report.classified.risk.value,
        "statements": len(report.statements),
        "findings": [_finding(one) for one in report.findings],
        "locks": [asdict(row) for row in lock_rows(report)],
        "quiet": [asdict(row) for row in quiet_rows(report)],
        "unknown": [{"line": line, "what": words} for line, words in not_analysed(report)],
    }
    if report.context is not None:
        told["takes"] = [_takes(seen, report.context.world.rates) for seen in report.seen]
        judged = compatibility(report.context, old=old)
        phased = phase_of(report.context, old=old, judged=judged)
        told["phase"] = {"name": phased.phase.value, "words": phased.words}
        told["compatible"] = judged.is_compatible
        told["keeps"] = widened(report.context)
        told["split"] = [asdict(one) for one in proposed(report.context)]
        told["breaks"] = [{"line": one.line, "what": one.words} for one in (*judged.breaks, *judged.unknown)]
    return told


def _takes(seen: Seen, rates: Rates) -> dict[str, Any]:
    """Return how long a statement works as estimated, in seconds: at measured rates and on a slower server.

    None where nobody can say: of what only asks or calls something, no work is known that grows with a size.
    """
    span = duration(seen, rates)
    if is_untimed(seen) or seen.effects.unknown or (span.is_instant and not any(seen.effects.felt)):
        span = UNKNOWN_SPAN
    return {"line": seen.statement.line, "seconds": span.quick, "slow_seconds": span.slow}


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "code": one.code,
        "severity": one.severity.value,
        "message": one.message,
        "help": one.help,
        "rewrite": one.rewrite,
        "line": one.line,
        "column": one.column,
        "waived": one.waived,
    }
