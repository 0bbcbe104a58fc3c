"""The one command behind `approve` and `reject`."""

from typing import Any, ClassVar

from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.models.approval import Verdict
from deployments.selectors.runs import unmet_of
from deployments.services.decide import decide


class DecisionCommand(Base):
    """Record a person's verdict about one digest."""

    verdict: ClassVar[Verdict]

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the run, the digest that was read, and who decides."""
        parser.add_argument("run", type=int)
        parser.add_argument("--digest", required=True, help="of the plan you read")
        parser.add_argument("--comment", default="")
        self.add_person(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Decide, and print what the run still waits for."""
        run = self.run(options["run"])
        approval = decide(
            run,
            verdict=self.verdict,
            digest=options["digest"],
            comment=options["comment"],
            actor=self.actor(options),
        )
        self.stdout.write(f"Run {run} {approval.verdict} by {approval.approver} as {approval.role}.")
        run.refresh_from_db()
        for one in unmet_of(run) if self.verdict is Verdict.APPROVED else ():
            self.stdout.write(f"  waits: {one.text}")
