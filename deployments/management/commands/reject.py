"""Say no to a run."""

from deployments.management.decision import DecisionCommand
from deployments.models.approval import Verdict


class Command(DecisionCommand):
    """Reject a run."""

    help = "Rejects a run, by the digest that was read."
    verdict = Verdict.REJECTED
