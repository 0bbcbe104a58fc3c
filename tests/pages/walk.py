"""The table of every address: who gets what. An address without a row fails a test."""

from collections.abc import Callable
from dataclasses import dataclass, field

from deployments.models import Migration
from tests.deployments.cast import Cast, script
from tests.pages import made, past_us

PEOPLE = ("dana", "lee", "mika", "noor", "ari", "sam", "charlie")


def no_arguments(_cast: Cast) -> dict[str, object]:
    return {}


@dataclass(frozen=True)
class Row:
    """The answer to a GET: for everybody signed in, for nobody, and for those who get another one.

    `part` is the answer to HTMX, where it is another: a part that has no page of its own. `given` makes what the
    address needs, and returns its arguments.
    """

    signed_in: int = 200
    nobody: int = 302
    others: dict[str, int] = field(default_factory=dict)
    part: int = 0
    given: Callable[[Cast], dict[str, object]] = no_arguments

    def expected(self) -> dict[str, int]:
        return dict.fromkeys(PEOPLE, self.signed_in) | self.others | {"nobody": self.nobody}


def rewards(cast: Cast) -> dict[str, object]:
    return {"slug": cast.rewards.slug}


def migration_of(cast: Cast) -> dict[str, object]:
    stored = Migration.objects.create(
        application=cast.rewards, name="001_ledger", version="001", digest="d", checksum="c", forward=script()
    )
    return {"slug": cast.rewards.slug, "pk": stored.pk}


def number_of(cast: Cast) -> dict[str, object]:
    return {"number": made.running(cast).job.run.number}


def in_doubt(cast: Cast) -> dict[str, object]:
    return {"number": made.in_doubt(cast).number}


def database_of(cast: Cast) -> dict[str, object]:
    return {"pk": made.running(cast).job.database_id}


def alarmed(cast: Cast) -> dict[str, object]:
    return {"pk": past_us.alarmed(cast).pk}


def watched(cast: Cast) -> dict[str, object]:
    return {"pk": past_us.watched(cast).pk}


def resting(cast: Cast) -> dict[str, object]:
    return {"number": made.resting(cast).number}


def in_the_way(cast: Cast) -> dict[str, object]:
    return {"number": made.waiting(cast).job.run.number, "pid": 4711}


def step_of(cast: Cast) -> dict[str, object]:
    step = made.failed(cast).jobs.get().steps.last()
    return {"number": step.job.run.number, "step_id": step.pk}


ONLY_POST = Row(signed_in=405)

WALK = {
    "overview": Row(),
    "runs": Row(),
    "run": Row(others={"charlie": 404}, given=number_of),
    "run-migration": Row(others={"charlie": 404}, given=lambda cast: number_of(cast) | {"place": 1}),
    "run-migrations": Row(others={"charlie": 404}, given=lambda cast: number_of(cast) | {"first": 1}),
    "approval": Row(others={"charlie": 404}, given=number_of),
    "rollback": Row(others={"charlie": 404}, given=number_of),
    "restore": Row(others={"charlie": 404}, given=number_of),
    "run-schema": Row(others={"charlie": 404}, given=number_of),
    "run-rehearse": Row(signed_in=302, others={"charlie": 404}, given=number_of),
    "run-start": Row(signed_in=302, others={"charlie": 404}, given=number_of),
    "run-cancel": Row(others={"charlie": 404}, given=number_of),
    "run-pause": Row(others={"charlie": 404}, given=number_of),
    "run-resume": Row(others={"charlie": 404}, given=resting),
    "run-session-end": Row(others={"charlie": 404}, given=in_the_way),
    "run-resolve": Row(others={"charlie": 404}, given=in_doubt),
    "run-look": Row(signed_in=302, part=200, others={"charlie": 404}, given=in_doubt),
    "step": Row(others={"charlie": 404}, given=step_of),
    "step-raw": Row(others={"charlie": 404}, given=step_of),
    "new-run": Row(),
    "read-again": ONLY_POST,
    "application": Row(others={"charlie": 404}, given=rewards),
    "migration": Row(others={"charlie": 404}, given=migration_of),
    "approvals": Row(),
    "databases": Row(),
    "database": Row(others={"charlie": 404}, given=database_of),
    "drift": Row(others={"charlie": 404}, given=database_of),
    "drift-rules": Row(others={"charlie": 404}, given=database_of),
    "back-door": Row(others={"charlie": 404}, given=alarmed),
    "onboarding": Row(others={"charlie": 404}, given=watched),
    "checks": Row(),
    "check": Row(given=lambda _cast: {"code": "index-not-concurrent"}),
    "audit": Row(),
    "audit-csv": Row(),
    "audit-json": Row(),
    "account": Row(),
    "preferences": ONLY_POST,
    "sign-in": Row(signed_in=302, nobody=200),
    "sign-out": ONLY_POST,
    "help": Row(nobody=200),
    "styleguide": Row(signed_in=404),
    "livez": Row(nobody=200),
    "readyz": Row(nobody=200),
}
