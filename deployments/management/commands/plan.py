"""Ask for a run of everything that is pending, or of the way back from one."""

from typing import Any
from uuid import uuid4

from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.pipelines.observing import observe_database
from deployments.selectors.runs import unmet_of
from deployments.services.plan import request_deploy, request_rollback


class Command(Base):
    """Plan a run."""

    help = "Freezes what is pending in an environment into a run; with --rollback the way back from a run."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take APPLICATION/ENVIRONMENT, the reason, and who asks."""
        parser.add_argument("environment")
        parser.add_argument("--reason", required=True)
        parser.add_argument("--reference", default="")
        parser.add_argument("--rollback", type=int, metavar="NUMBER", help="the run to roll back")
        self.add_person(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Read the targets, plan, and print number, class, digest, and what the run waits for."""
        environment, actor = self.environment(options["environment"]), self.actor(options)
        for database in environment.databases.order_by("position"):
            observe_database(database, actor=actor)
        asked = {"reason": options["reason"], "request_key": uuid4(), "actor": actor}
        if options["rollback"] is None:
            run = request_deploy(environment, change_reference=options["reference"], **asked)
        else:
            run = request_rollback(self.run(options["rollback"]), **asked)
        plan = run.plan
        self.stdout.write(f"Run {run}: {run.kind} of {len(plan['migrations'])} on {environment}, {plan['class']}.")
        self.stdout.write(f"  digest {run.digest}")
        for entry in plan["migrations"]:
            self.stdout.write(f"  {entry['name']}")
        for reason in run.judgement["reasons"]:
            self.stdout.write(f"  because {reason}")
        for one in unmet_of(run):
            self.stdout.write(f"  waits: {one.text}")
