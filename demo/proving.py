"""A chapter of the story: no change without a way back that was tried, and the one that forgets an index is refused."""

from dataclasses import dataclass

from django.utils import timezone

from checks.rehearsal.proof import Outcome
from demo.people import DANA, MIKA, PIA
from demo.releases import Release
from demo.targets import PRODUCTION
from demo.telling import Telling, is_state
from deployments.actors import person
from deployments.models import Backup, BackupCheck, Environment, MigrationRun, User
from deployments.models.backup import BackupScope, CheckOutcome
from deployments.selectors.rehearsals import Proven, proofs_of
from deployments.services.policy import change_policy
from deployments.states import RunState

FORGOTTEN = "point_ledger_user_id_idx"
REASON, REFERENCE = "The list of points is slow", "LOY-126"
REFUSED = (409, 422)
OF_COPIES = "lkt_"  # begins the name of every database that Locktender makes to look into


@dataclass(frozen=True, slots=True)
class Trying:
    """A run that was asked for, and the rehearsal of its way back."""

    run: MigrationRun
    rehearsal: MigrationRun


def ask_for_proof(telling: Telling, *, rules: dict[str, object], reason: str) -> None:
    """Have production's policy ask for a verified backup and a proven way back from now on."""
    environment = Environment.objects.get(application__slug="loyalty", slug=PRODUCTION.environment)
    change_policy(environment, rules=rules, reason=reason, actor=person(User.objects.get(username=MIKA.name)))
    telling.say.note(f"{environment} names a rehearsal server, and from now on its policy asks for a proven way back")


def try_release(telling: Telling, release: Release) -> Trying:
    """Ask for a release on production, and for its rehearsal, which begins; then take it out of the repository."""
    telling.release(release)
    run = telling.desk.ask(DANA, PRODUCTION, reason=REASON, reference=REFERENCE)
    trying = Trying(run, telling.desk.rehearse(DANA, run))
    telling.say.note(f"Run {trying.rehearsal} rehearses run {run} on a copy; meanwhile the next release is in staging")
    telling.stage.take_out(release)
    return trying


def backup_is_equal(telling: Telling, trying: Trying) -> None:
    """Tell that what is rehearsed on is production: its backup, restored and compared."""
    backup = Backup.objects.filter(job__run=trying.rehearsal, scope=BackupScope.DATABASE).latest("pk")
    check = BackupCheck.objects.filter(backup=backup).latest("pk")
    seconds = sum(check.found["seconds"].values())
    telling.say.holds(
        f"Production's backup is restored in {seconds:.0f} s, and equal: its schema, and {check.found['rows']:,} rows "
        "by hash.",
        truth=check.outcome == CheckOutcome.EQUAL and check.found["rows"] > PRODUCTION.ledger_rows,
        seen=(check.outcome, check.found),
    )


def refused(telling: Telling, trying: Trying) -> None:
    """Tell what became of a way back that forgets an index."""
    desk, say, run = telling.desk, telling.say, trying.run
    tried = desk.follow(trying.rehearsal)
    backup_is_equal(telling, trying)
    (proven,) = proofs_of(run)
    proof = proven.proof
    why = proof.problems[0] if proof and proof.problems else "no reason"
    say.holds(
        f"Rollback of 2.9 refused: {why}.",
        truth=is_state(tried, RunState.SUCCEEDED)
        and proof is not None
        and proof.outcome is Outcome.NOT_PROVEN
        and FORGOTTEN in why
        and "does not come back" in why,
        seen=proof,
    )
    page = desk.try_to_start(DANA, MigrationRun.objects.get(pk=run.pk))
    say.holds(
        f"So run {run} cannot start, and its page says why.",
        truth=page.status in REFUSED and FORGOTTEN in page.text and is_state(run, RunState.AWAITING),
        seen=(page.status, page.text),
    )
    desk.reject(PIA, run, reason="The way back forgets an index")
    say.holds(
        "pia rejected it. Nothing was done to production, and the copies are gone.",
        truth=is_state(run, RunState.REJECTED) and not run.jobs.exists() and not copies(telling),
        seen=(run.state, copies(telling)),
    )


def proven(telling: Telling, trying: Trying) -> None:
    """Tell that the way back of a run is proven, and restores everything."""
    telling.desk.follow(trying.rehearsal)
    (found,) = proofs_of(trying.run)
    outcome = found.proof.outcome if found.proof else None
    page = telling.desk.see(DANA, f"/runs/{trying.run.number}/").text
    telling.say.holds(
        f"The way back of run {trying.run} is proven, in {len(found.proof.tries) if found.proof else 0} tries: it "
        "restores everything.",
        truth=outcome is Outcome.RESTORES and "restores everything" in page.lower(),
        seen=(found.proof, page),
    )


def age_of(proof: Proven) -> int:
    """Return how many seconds ago a way back was proven."""
    return round((timezone.now() - proof.made_at).total_seconds()) if proof.made_at else 0


def copies(telling: Telling) -> list[str]:
    """Return the databases that were made to look into, and are still there."""
    return sorted(name for name in telling.stage.targets.names() if name.startswith(OF_COPIES))
