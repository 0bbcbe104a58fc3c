"""The arguments of `migration-check`, each with its help, and a call of them that is anything but plain."""

from __future__ import annotations

from typing import Annotated

import typer

from checks.asked import Question, answer
from checks.context import NEWEST_VERSION, OLDEST_VERSION
from checks.output import Format
from checks.risk import Risk


def check(
    path: Annotated[str, typer.Argument(help="A folder of migrations, one .sql file, or - for standard input.")],
    *,
    layout: Annotated[str, typer.Option(help="How the folder is laid out; auto finds out.")] = "auto",
    pg: Annotated[
        int | None,
        typer.Option(
            min=OLDEST_VERSION, max=NEWEST_VERSION, help="The major version of the server.", show_default=False
        ),
    ] = None,
    base: Annotated[
        str, typer.Option(help="A branch or commit: judge only what is new or changed since the work of now left it.")
    ] = "",
    snapshot: Annotated[
        str, typer.Option(help="A file of export_snapshot: the schema of a real database, with sizes and traffic.")
    ] = "",
    output: Annotated[Format, typer.Option("--format", help="How the report is written.")] = Format.TEXT,
    fail_on: Annotated[Risk, typer.Option(help="The lowest class that makes the command fail.")] = Risk.HIGH,
    style: Annotated[bool, typer.Option("--style", help="Ask about matters of taste too.")] = False,
    cache: Annotated[
        bool, typer.Option(help="Keep what was judged in the user's folder for caches, and judge only what is new.")
    ] = True,
) -> None:
    """Judge migrations before they reach a database.

    Ends with 0 when no forward script is of the class given with --fail-on or higher and nothing has a blocking
    finding, with 1 when one is or has, and with 2 when something could not be analysed or the report not be written.
    """
    asked = Question(
        path, layout=layout, pg=pg, base=base, snapshot=snapshot, output=output, fail_on=fail_on, style=style,
        remembers=cache,
    )  # fmt: skip
    raise typer.Exit(answer(asked))


def run() -> int:
    """Run the command as its arguments say, and return the exit status."""
    try:
        typer.run(check)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0
