"""Decide how a run that needs attention goes on."""

from typing import Any

from django.core.management.base import CommandParser

from deployments.actors import Actor
from deployments.management.base import Command as Base
from deployments.models import Job, MigrationRun
from deployments.pipelines.answering import answer_request
from deployments.selectors.doubts import known_about
from deployments.services.looks import request_look
from deployments.services.resolve import confirm_applied, give_up, run_again


class Command(Base):
    """Resolve a run."""

    help = "Decides about a run that needs attention: look at the target and run again, confirm, or give it up."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the run, the decision, its reason, and who decides."""
        parser.add_argument("run", type=int)
        decision = parser.add_mutually_exclusive_group(required=True)
        decision.add_argument("--again", dest="decide", action="store_const", const=run_again)
        decision.add_argument("--confirm", dest="decide", action="store_const", const=self._confirm)
        decision.add_argument("--give-up", dest="decide", action="store_const", const=give_up)
        parser.add_argument("--reason", required=True)
        self.add_person(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Decide, and print the state it led to."""
        run = self.run(options["run"])
        job = options["decide"](run, reason=options["reason"], actor=self.actor(options))
        self.stdout.write(f"Run {run}: the job on {job.database.name} is {job.state}.")

    def _confirm(self, run: MigrationRun, *, reason: str, actor: Actor) -> Job:
        """Look at the target now, print what it says, and confirm that what is in doubt is applied, if it does so."""
        wish = request_look(run, actor=actor)
        answer_request(wish.pk)
        known = known_about(wish.job) if wish.job else None
        if known:
            self.stdout.write(f"{known.say} {known.doubt.get('why', '')}".strip())
        return confirm_applied(run, look=wish.pk, reason=reason, actor=actor)
