"""Runs that are over and can be rolled back, with rollback scripts of a test's own."""

from typing import Any

from checks.layouts import MigrationFiles
from deployments.actors import COMMAND_LINE, person
from deployments.models import MigrationRun
from deployments.selectors.rail import STAGES
from deployments.services.decide import start
from deployments.services.sync import sync
from deployments.sources.found import Found
from deployments.states import JobState
from tests.deployments.cast import Cast
from tests.pages import made, story

Pairs = dict[str, tuple[str, str]]

COMMENTED: Pairs = {"001_points": ("COMMENT ON TABLE points IS 'all'", "COMMENT ON TABLE points IS 'some'")}
ADDED: Pairs = {
    "001_points": ("ALTER TABLE points ADD COLUMN currency text", "ALTER TABLE points DROP COLUMN currency"),
    "002_ledger": ("CREATE TABLE ledger (id bigint)", "DROP TABLE ledger"),
}


def released(cast: Cast, pairs: Pairs) -> None:
    """Sync these scripts."""
    files = tuple(
        MigrationFiles(name, name.partition("_")[0], forward.encode(), back.encode())
        for name, (forward, back) in pairs.items()
    )
    sync(cast.rewards, found=Found(files, None, story.LAYOUT), commit="", actor=COMMAND_LINE)


def read(cast: Cast, pairs: Pairs, **fields: Any) -> None:
    """Keep a reading of production that has these applied."""
    story.read(cast.rewards_prod, {name: forward for name, (forward, _) in pairs.items()}, **fields)


def asked(cast: Cast, pairs: Pairs, *, before: Pairs | None = None) -> MigrationRun:
    """Return a run of these on production, which awaits its decision; `before` is what is applied there."""
    before = before or {}
    released(cast, before | pairs)
    read(cast, before)
    return story.ask(cast.production, cast.dana)


def deployed(cast: Cast, pairs: Pairs, *, before: Pairs | None = None) -> MigrationRun:
    """Return a run that applied these to production, and the database was read after it."""
    run = asked(cast, pairs, before=before)
    story.approve(run, cast.lee, cast.mika)
    acts = made.Executor(start(run, actor=person(cast.dana)))
    for _ in STAGES[run.kind]:
        acts.end(acts.begin())
    read(cast, (before or {}) | pairs)
    return acts.close(JobState.SUCCEEDED, applied=len(pairs))
