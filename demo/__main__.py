"""`make demo`: the whole product on this machine, a customer, and a story whose every sentence is checked.

`ARGS=--exit` ends after the story and what `make demo-kill` tells, with 0 if all of it was true. Beside a running demo,
`ARGS=release` brings the customer's next release into its repository, and `make demo-kill` kills what runs a backfill.
"""

import os
import sys
import time
from collections.abc import Sequence

import django

from demo.beside import kill, release
from demo.stage import Stage, stage
from demo.targets import MIGRATOR, PRODUCTION
from demo.teller import StoryBroken, Teller
from deployments.errors import DeploymentError

USAGE = "usage: make demo | make demo ARGS=--exit | make demo ARGS=release | make demo-kill\n"
LOOK_SECONDS = 0.5


def main(arguments: Sequence[str]) -> int:
    """Play the demo and return the exit status."""
    match list(arguments):
        case []:
            return play(stays=True)
        case ["--exit"]:
            return play(stays=False)
        case ["release"]:
            return release()
        case ["kill"]:
            return kill()
    sys.stderr.write(USAGE)
    return 2


def play(*, stays: bool) -> int:
    """Tell the story; then serve until Ctrl-C, if asked. Returns 1 if a sentence was not true."""
    teller = Teller()
    began = time.monotonic()
    teller.chapter("Locktender: own servers, own data, nothing outside of this folder")
    with stage(teller) as here:
        os.environ.update(here.environment, DJANGO_SETTINGS_MODULE="controlplane.settings")
        django.setup()
        from demo.killing import Killing  # noqa: PLC0415 - its models need Django to be set up
        from demo.story import Story  # noqa: PLC0415

        story = Story(here, teller)
        try:
            waiting = story.tell()
            if not stays:
                production = here.targets.connection(PRODUCTION, MIGRATOR)
                Killing(story.desk, teller, production, os.getpid(), here.revive).tell(waiting)
        except StoryBroken as broken:
            sys.stderr.write(f"{broken}\nWhat the processes said is in {here.folder}.\n")
            return 1
        teller.console.print(f"\n[bold]{teller.told} sentences, all true, in {time.monotonic() - began:.0f} s.[/]")
        if stays:
            serve(here, teller, waiting.number)
    return 0


def serve(here: Stage, teller: Teller, waiting: int) -> None:
    """Say what can be done, and stay until a process ends or Ctrl-C."""
    from demo.people import CAST  # noqa: PLC0415 - its models need Django to be set up

    say = teller.console.print
    say(f"\nA run waits for your decision: [bold]{here.url}/runs/{waiting}/approval/[/]")
    say(f"Sign in with the password [bold]{here.password}[/] as:")
    for one in CAST:
        say(f"  [bold]{one.name:6}[/] {one.role.label:14} {one.tries}")
    say("\nWorth trying:")
    for line in (
        f"pia approves run #{waiting}; dana starts it; watch its batches, and the latency while they run.",
        "make demo-kill, in another terminal, does the same, and kills worker and executor in the middle of it.",
        f"noor takes it back: {here.url}/runs/{waiting}/rollback/ at the width of a phone.",
        f"ari finds all of it: {here.url}/audit/",
        "make demo ARGS=release, in another terminal, brings the customer's next release: it rewrites a table.",
    ):
        say(f"  · {line}")
    say("\nCtrl-C stops it. The next `make demo` begins anew.")
    here.stay()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except DeploymentError as refusal:
        sys.exit(f"{refusal.code}: {refusal}")
    except KeyboardInterrupt:
        sys.exit(130)
