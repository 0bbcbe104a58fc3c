"""Say yes to a run."""

from deployments.management.decision import DecisionCommand
from deployments.models.approval import Verdict


class Command(DecisionCommand):
    """Approve a run."""

    help = "Approves a run, by the digest that was read."
    verdict = Verdict.APPROVED
