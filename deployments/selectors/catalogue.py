"""The catalogue of checks, with how often each found something in the plans that a person may see."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from checks.finding import Group, Rule
from checks.rules import CATALOGUE
from deployments.authority import seen_environments
from deployments.models import User

NEWEST = 50  # places that the page of one check names

# A migration that went to staging and to production was found once, not twice.
FOUND = """
WITH places AS (
    SELECT DISTINCT ON (environment.application_id, script.name, found ->> 'code', found ->> 'line')
           run.number, script.name, found ->> 'code' AS code, (found ->> 'line')::int AS line,
           found ->> 'message' AS message, coalesce(found ->> 'waived', '') AS waived
    FROM deployments_migrationrun run
    JOIN deployments_environment environment ON environment.id = run.environment_id
    CROSS JOIN jsonb_each(run.judgement -> 'migrations') AS script(name, judged)
    CROSS JOIN jsonb_array_elements(script.judged -> 'findings') AS found
    WHERE run.environment_id = ANY(%(environments)s)
    ORDER BY environment.application_id, script.name, found ->> 'code', found ->> 'line', run.number DESC
)
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One check: in how many places it found something, how many of them a comment ignored, and in which run last."""

    rule: Rule
    found: int
    ignored: int
    last: int | None


@dataclass(frozen=True, slots=True)
class Chapter:
    """The checks of one group."""

    group: Group
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class FoundAt:
    """Where a check found something: the newest run with that migration, and what it said. `ignored` is the reason."""

    run: int
    migration: str
    line: int
    message: str
    ignored: str


def catalogue(user: User) -> tuple[Chapter, ...]:
    """Return every check by group, in the order of the catalogue."""
    with connection.cursor() as cursor:
        cursor.execute(
            FOUND
            + "SELECT code, count(*), count(*) FILTER (WHERE waived <> ''), max(number) FROM places GROUP BY code",
            {"environments": _seen(user)},
        )
        counted = {code: (found, ignored, last) for code, found, ignored, last in cursor.fetchall()}
    entries = [Entry(rule, *counted.get(rule.code, (0, 0, None))) for rule in CATALOGUE]
    chapters = [Chapter(group, tuple(one for one in entries if one.rule.group is group)) for group in Group]
    return tuple(one for one in chapters if one.entries)


def filtered(chapters: Sequence[Chapter], *, words: str = "", family: str = "", hit: str = "") -> tuple[Chapter, ...]:
    """Return the checks that have each of these words somewhere in their texts, of one family, and hit or not.

    `family` is the name of a Group in small letters, `hit` is "yes" or "no"; "" asks for all.
    """
    wanted = words.casefold().split()
    found = []
    for chapter in chapters:
        if family not in {"", chapter.group.name.lower()}:
            continue
        entries = tuple(
            one for one in chapter.entries if _has(one.rule, wanted) and hit in {"", "yes" if one.found else "no"}
        )
        found.append(Chapter(chapter.group, entries))
    return tuple(one for one in found if one.entries)


def _has(rule: Rule, words: Sequence[str]) -> bool:
    texts = f"{rule.code} {rule.title} {rule.why} {rule.help} {rule.blocks} {rule.severity}".casefold()
    return all(one in texts for one in words)


def places_of_rule(user: User, rule: Rule) -> Sequence[FoundAt]:
    """Return where a check found something, the newest NEWEST places first."""
    with connection.cursor() as cursor:
        cursor.execute(
            FOUND + "SELECT number, name, line, message, waived FROM places WHERE code = %(code)s "
            "ORDER BY number DESC, name, line LIMIT %(newest)s",
            {"environments": _seen(user), "code": rule.code, "newest": NEWEST},
        )
        return [FoundAt(*row) for row in cursor.fetchall()]


def _seen(user: User) -> list[int]:
    return list(seen_environments(user).values_list("pk", flat=True))
