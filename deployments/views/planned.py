"""The migrations of a plan on a page: which of them stand there at once, and where in their scripts something is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.urls import reverse

from deployments.models import MigrationRun, Script
from deployments.selectors.run_plan import PlannedMigration
from deployments.views.passages import Passage, passages

MOST_CHARACTERS = 30_000  # of scripts that one page shows at once; the rest of a plan is loaded when it is opened
MOST_AT_ONCE = 5  # migrations that one page shows at once
LISTED = 100  # migrations that one page names; the others are named when somebody asks for them
FEW = 3  # migrations of a plan that stand open, however little there is to say about them


@dataclass(frozen=True, slots=True)
class ShownMigration:
    """One migration of a plan on a page. `passages` is None where it is loaded when somebody opens it.

    `page` is the address of a page of its own.
    """

    planned: PlannedMigration
    page: str
    passages: Sequence[Passage] | None
    runs: Script | None
    back: Script | None
    verify: Script | None
    is_open: bool

    def place(self, line: int) -> tuple[str, str]:
        """Return the address of what begins in a line, and how that place is called."""
        if self.passages is None:
            return self.page, f"line {line}"
        begun = [
            (begins, passage.first + offset, count)
            for count, passage in enumerate(self.passages, start=1)
            for offset, begins in enumerate(passage.lines)
            if begins <= line
        ]
        if not begun:
            return f"#migration-{self.planned.number}", f"line {line}"
        here = [one for one in begun if one[0] == begun[-1][0]]
        _, statement, count = here[0]
        # Of several that begin in one line nobody can say which is meant.
        words = f"line {line}" if len(here) > 1 else f"statement {statement}, line {line}"
        return f"#stmt-{self.planned.number}-{count}", words


def shown(
    run: MigrationRun, migrations: Sequence[PlannedMigration], scripts: Mapping[str, Script]
) -> list[ShownMigration]:
    """Return the migrations of a plan in their order. Those whose script is not given are loaded later."""
    return [one_shown(run, one, scripts, is_open=len(migrations) <= FEW or not one.is_calm) for one in migrations]


def named(shown_ones: Sequence[ShownMigration]) -> list[ShownMigration]:
    """Return the migrations that a page names at once: the first of them, and wherever they are those that it shows."""
    return [one for one in shown_ones if one.planned.number <= LISTED or one.passages is not None]


def rest_of(count: int) -> list[tuple[int, int]]:
    """Return the first and the last of each further page of a plan of so many migrations."""
    return [(first, min(first + LISTED - 1, count)) for first in range(LISTED + 1, count + 1, LISTED)]


def one_shown(
    run: MigrationRun, one: PlannedMigration, scripts: Mapping[str, Script], *, is_open: bool
) -> ShownMigration:
    """Return one migration of a plan, with its scripts where they are given."""
    runs = scripts.get(one.runs)
    cut = passages(runs.text(), one.findings, one.locks, one.quiet) if runs else None
    parts = None if cut is None else [_with_plan(passage, one) for passage in cut]
    page = reverse("run-migration", args=[run.number, one.number])
    return ShownMigration(
        one, page, parts, runs, scripts.get(one.back), scripts.get(one.verify), is_open and parts is not None
    )


def _with_plan(passage: Passage, one: PlannedMigration) -> Passage:
    """Return a passage with what the plan says of its statements: batches, and what they took in a rehearsal."""
    own = range(passage.first, passage.first + len(passage.lines))
    several = len(passage.lines) > 1
    return replace(
        passage,
        batches=tuple(batch for batch in one.batches if batch["statement"] in own),
        on_clone=tuple(
            f"line {line}: {one.on_clone[line]}" if several else one.on_clone[line]
            for line in dict.fromkeys(passage.lines)
            if line in one.on_clone
        ),
    )


def at_once(migrations: Sequence[PlannedMigration], sizes: Mapping[str, int]) -> list[PlannedMigration]:
    """Return the migrations that a page shows at once: those that ask for care first, as long as there is room.

    `sizes` are the bytes of scripts, by their SHA-256.
    """
    room = MOST_CHARACTERS
    found: list[PlannedMigration] = []
    for one in sorted(migrations, key=lambda each: (each.is_calm, each.number)):
        needed = sum(sizes.get(sha, 0) for sha in (one.runs, one.back, one.verify) if sha)
        if found and (len(found) == MOST_AT_ONCE or needed > room):
            break
        room -= needed
        found.append(one)
    return found


def reasons(told: Iterable[str], shown_ones: Sequence[ShownMigration]) -> list[tuple[ShownMigration | None, str]]:
    """Return the reasons of a class, each with the migration that it is about and without that one's name."""
    by_name = {one.planned.name: one for one in shown_ones}
    found: list[tuple[ShownMigration | None, str]] = []
    for reason in told:
        name, _, words = reason.partition(": ")
        found.append((by_name[name], words) if name in by_name else (None, reason))
    return found
