"""The judge: compares what the target really holds with what the control database says. Believes only the target.

- doubled: an effect, a history row, or a row of a batch is there twice, or has been taken twice.
- lost: the run never ended; it succeeded with something missing; something is in force that is not recorded.
- wrong verdict: the state contradicts the target. That includes `needs_attention`, because no fault of this campaign
  leaves a doubt that the target could not settle; a refusal that the fault does not explain; a step that was left
  running; an invalid index or a living session behind a run that is over; an audit chain that is broken at the end.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from deployments.models import Backup, Job, MigrationRun, Step
from deployments.states import STEP_FINAL
from tests.faults.cases import Case
from tests.faults.places import asked
from tests.faults.scripts import Written

DOUBLED, LOST, WRONG = "doubled", "lost", "wrong verdicts"
# How the steps of a run that succeeded ended: nobody configured what is skipped.
STEPS = dict.fromkeys(["preflight", "backup", "checks before", "migrate", "checks after"], "succeeded") | dict.fromkeys(
    ["smoke", "health check", "watch"], "skipped"
)
# The last job that was at a statement carries on what those before it counted.
BATCHED = """SELECT coalesce(sum(rows), 0)::int FROM (
  SELECT DISTINCT ON (migration, position) rows FROM locktender.batch ORDER BY migration, position, at DESC) AS latest
"""
BEFORE_ANY_CHANGE = frozenset({"backup-failed", "guard-lost"})  # a dump broke off; in the migrations it is tried again
SESSIONS_PATIENCE = 5.0  # seconds until a session whose client is gone has noticed it


@dataclass(frozen=True)
class Problem:
    """One thing that is not as it must be."""

    kind: str
    text: str


@dataclass(frozen=True)
class Facts:
    """What a target shows."""

    effects: list[str]
    history: list[tuple[str, str, int]]  # migration, direction, job
    statements: dict[tuple[str, int], list[str]]  # migration and place -> states
    tables: set[str]
    indexes: dict[str, bool]  # valid?
    times: tuple[int, int, int]  # how often a row was counted: least, most, all of them together
    batched: int  # rows that the target says were changed in batches


def look(case: Case) -> Facts:
    """Read a target."""
    with case.place.connect() as opened:
        statements: dict[tuple[str, int], list[str]] = {}
        for migration, place, state in opened.execute("SELECT migration, position, state FROM locktender.statement"):
            statements.setdefault((migration, place), []).append(state)
        return Facts(
            effects=[name for (name,) in opened.execute("SELECT migration FROM effects ORDER BY id")],
            history=opened.execute("SELECT migration, direction, job FROM locktender.history ORDER BY id").fetchall(),
            statements=statements,
            tables={name for (name,) in opened.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")},
            indexes=dict(
                opened.execute(
                    "SELECT relname, indisvalid AND indisready FROM pg_index JOIN pg_class class"
                    " ON class.oid = indexrelid WHERE relnamespace = 'public'::regnamespace"
                ).fetchall()
            ),
            times=opened.execute("SELECT min(times), max(times), sum(times) FROM counted").fetchone() or (0, 0, 0),
            batched=(opened.execute(BATCHED).fetchone() or (0,))[0],
        )


def judge(case: Case, *, ended: bool, settled: bool, ends: frozenset[str], refusals: frozenset[str]) -> list[Problem]:
    """Return what is wrong after a run: `ends` are the states and `refusals` the codes that its fault explains."""
    if not ended:
        where = asked(lambda: str(Job.objects.values_list("state", "executor", "claims").get(pk=case.job.pk)))
        return [Problem(LOST, f"run {case.run} does not end: {where}, {case.where()}")]
    run = asked(lambda: MigrationRun.objects.get(pk=case.run.pk))
    job = asked(lambda: Job.objects.get(pk=case.job.pk))
    facts = look(case)
    problems = [*_target(case, facts), *_verdict(run, job, facts, ends, refusals), *_order(case, facts)]
    if run.state == "succeeded":
        problems += _success(case, facts)
    problems += _leftovers(case, job)
    problems += [Problem(WRONG, text) for text in case.wrongs]
    if not settled:
        problems.append(Problem(LOST, f"an executor of run {run} does not end"))
    return problems


def _target(case: Case, facts: Facts) -> Iterator[Problem]:
    """What is in force, against what the target's own history says is."""
    effects, applied = Counter(facts.effects), Counter(name for name, _, _ in facts.history)
    for one in case.place.written:
        if effects[one.name] > 1 or applied[one.name] > 1:
            text = f"{one.name}: {effects[one.name]} times in effect, {applied[one.name]} times in the history"
            yield Problem(DOUBLED, text)
        in_force = (one.counts and effects[one.name] > 0) or one.table in facts.tables
        if one.transactional and in_force and not applied[one.name]:
            yield Problem(LOST, f"{one.name} is in force, and the history does not have it")
        if one.transactional and applied[one.name] and not (effects[one.name] and one.table in facts.tables):
            yield Problem(LOST, f"{one.name} is in the history, and its effect is missing")
        if one.name in applied and not one.transactional:
            if one.counts and not effects[one.name]:
                yield Problem(LOST, f"{one.name} is in the history, and its effect is missing")
            yield from _by_itself(case, one, facts)
    yield from _counted(case, facts, applied)


def _counted(case: Case, facts: Facts, applied: Counter[str]) -> Iterator[Problem]:
    """Rows that are taken in batches, each once by every migration of that kind."""
    names = [one.name for one in case.place.written if one.batched]
    done, under_way = sum(applied[name] > 0 for name in names), any(not applied[name] for name in names)
    least, most, together = facts.times
    if most > done + under_way:
        yield Problem(DOUBLED, f"a row was taken {most} times, by {done} migrations and {under_way} under way")
    if least < done:
        yield Problem(LOST, f"a row was taken {least} times, and {done} migrations took every one")
    if together != facts.batched:
        kind = DOUBLED if together > facts.batched else LOST
        yield Problem(kind, f"rows were taken {together} times, and the watermarks say {facts.batched}")


def _by_itself(case: Case, written: Written, facts: Facts) -> Iterator[Problem]:
    """A file that the history calls applied, and whose statements are recorded one by one."""
    name = written.name
    dropped_later = {index for one in case.place.written for index in one.dropped}
    for index in written.made:
        if not facts.indexes.get(index, False) and index not in dropped_later:
            state = "INVALID" if index in facts.indexes else "missing"
            yield Problem(LOST, f"{name} is in the history, and its index {index} is {state}")
    for index in written.dropped:
        if index in facts.indexes:
            yield Problem(LOST, f"{name} is in the history, and the index {index} is still there")
    for place in range(1, written.statements + 1):
        if "done" not in facts.statements.get((name, place), []):
            yield Problem(LOST, f"{name} is in the history, and its statement {place} is not recorded as done")


def _order(case: Case, facts: Facts) -> Iterator[Problem]:
    """Everything in the author's order."""
    wanted = [one.name for one in case.place.written]
    for what, found in (("effects", facts.effects), ("history", [name for name, _, _ in facts.history])):
        if (places := [wanted.index(name) for name in found]) != sorted(places):
            yield Problem(WRONG, f"the {what} are out of order: {found}")


def _verdict(
    run: MigrationRun, job: Job, facts: Facts, ends: frozenset[str], refusals: frozenset[str]
) -> Iterator[Problem]:
    """What the control database says, against the target."""
    by_this_job = sum(1 for _, _, number in facts.history if number == job.pk)
    told = f"run {run} is {run.state}" + (f" ({job.error_code}: {job.error})" if job.error_code else "")
    if run.state != job.state:
        yield Problem(WRONG, f"{told}, and its job is {job.state}")
    is_explained = job.error_code in refusals and not (job.error_code in BEFORE_ANY_CHANGE and by_this_job)
    if run.state not in ends and not (run.state == "failed" and is_explained):
        yield Problem(WRONG, f"{told}, with {by_this_job} applied: the fault does not explain it")
    if job.applied != by_this_job:
        kind = LOST if job.applied < by_this_job else WRONG
        yield Problem(kind, f"{told}, says {job.applied} applied, and the history has {by_this_job} of it")
    planned = len(run.plan["migrations"])
    if run.state == "succeeded" and by_this_job != planned:
        yield Problem(LOST, f"{told}, and {by_this_job} of its {planned} migrations are in the history")


def _success(case: Case, facts: Facts) -> Iterator[Problem]:
    """What may not be there after a run that succeeded: everything written before it is applied."""
    if invalid := sorted(name for name, valid in facts.indexes.items() if not valid):
        yield Problem(WRONG, f"run {case.run} succeeded and left INVALID: {', '.join(invalid)}")
    states = asked(lambda: dict(Step.objects.filter(job=case.job).values_list("name", "state").order_by("attempt")))
    if states != STEPS:
        yield Problem(WRONG, f"run {case.run} succeeded with steps {states}")
    backups = asked(lambda: list(Backup.objects.filter(job=case.job).values_list("place", flat=True)))
    stored = case.stored()
    if len(backups) != 1 or stored != backups:
        yield Problem(WRONG, f"run {case.run} succeeded with the backups {backups}, and the store has {stored}")


def _leftovers(case: Case, job: Job) -> Iterator[Problem]:
    """What a run that is over may not leave behind."""
    open_steps = asked(lambda: list(Step.objects.filter(job=job).exclude(state__in=STEP_FINAL)))
    if open_steps:
        yield Problem(WRONG, f"{job} is {job.state}, and its step {open_steps[0].name} is {open_steps[0].state}")
    deadline = time.monotonic() + SESSIONS_PATIENCE
    while left := case.sessions():
        if time.monotonic() > deadline:
            yield Problem(WRONG, f"{job} is over, and {len(left)} sessions of its executors live on")
            break
        time.sleep(0.1)
