"""The `migration-check` command, from its start: what was told is told again, and only what changed is judged.

Most calls of somebody at work are about a folder of which nothing or one file changed. What they need is imported, and
no more: the parser and the rules for what is judged, the library of arguments for what is not plain.
"""

from __future__ import annotations

import sys

from checks.project.answers import Call
from checks.streams import put

# Imports stand inside where only some calls need them: together they take longer than most answers.


def main() -> None:
    """Run the command."""
    call = Call.of(sys.argv[1:])
    if call is None:
        sys.exit(_ask_typer())
    remembered = call.remembered()
    sys.exit(_judge(call) if remembered is None else _tell(*remembered))


def _tell(report: memoryview, status: int) -> int:
    """Write what was said before, and return the exit status."""
    try:
        put(report)
    except OSError as error:
        from checks.asked import unwritten  # noqa: PLC0415

        return unwritten(error)
    return status


def _judge(call: Call) -> int:
    """Judge what changed, and return the exit status."""
    from checks.asked import Question, answer  # noqa: PLC0415

    call.begin()
    asked = Question.of(call)
    if asked is None:
        return _ask_typer()
    return answer(asked, call)


def _ask_typer() -> int:
    """Let the library of arguments make sense of them, and return the exit status."""
    from checks.command import run  # noqa: PLC0415

    return run()


if __name__ == "__main__":
    main()
