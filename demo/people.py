"""Who plays in the demo: one person for each role, and a second DBA, because nobody approves what they asked for."""

from dataclasses import dataclass

from deployments.actors import COMMAND_LINE
from deployments.models import User
from deployments.models.grant import Role
from deployments.services import setup


@dataclass(frozen=True, slots=True)
class Player:
    """A person with a role. `tries` is what is worth trying as this person."""

    name: str
    role: Role
    tries: str


DANA = Player("dana", Role.DEVELOPER, "ask for a run")
LEE = Player("lee", Role.DBA, "asked for the first run, so could not approve it")
PIA = Player("pia", Role.DBA, "approve the run that waits")
MIKA = Player("mika", Role.ARCHITECT, "the second approval of a high-risk run")
NOOR = Player("noor", Role.ON_CALL, "the rollback page, on a phone")
ARI = Player("ari", Role.AUDITOR, "the audit log: filter it, check its chain, export it")
VERA = Player("vera", Role.VIEWER, "see everything, change nothing")
ADA = Player("ada", Role.ADMINISTRATOR, "manages people, and approves nothing")
CAST = (DANA, LEE, PIA, MIKA, NOOR, ARI, VERA, ADA)


def invite(*, password: str) -> None:
    """Add everybody, with one password for all of them: this is a demo on one machine."""
    for player in CAST:
        setup.grant(player.name, player.role, actor=COMMAND_LINE)
        user = User.objects.get(username=player.name)
        user.set_password(password)
        user.save(update_fields=["password"])
