"""sqitch.plan: the changes of a Sqitch project in order, with what they require, their tags and their identities."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from checks.errors import CheckError

PLAN = "sqitch.plan"

# Sqitch's own grammar of a line (App::Sqitch::Plan, _parse), without its operators that are no longer written.
_NAME = r"(?![-!\"$%&'()*+,./;<=>?^`{|}~])[^\s:@#\\\[\]]+(?<![-!\"$%&'()*+,./;<=>?^`{|}~])"
_PRAGMA = re.compile(r"[ \t]*%[ \t]*(?P<name>[\w-]+)(?:[ \t]*=[ \t]*(?P<value>.+?))?[ \t]*")
_LINE = re.compile(
    rf"[ \t]*(?:(?P<tag>@)|\+[ \t]*)?(?P<name>{_NAME})(?:[ \t]+\[(?P<needs>[^\]]+)\])?"
    r"[ \t]+(?P<date>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)[ \t]+(?P<planner>[^<]+?[ \t]+<[^>]+>)[ \t]*"
)
_NEED = re.compile(
    rf"(?P<conflicts>!?)(?:(?P<project>{_NAME}):)?(?!\Z)(?:(?P<id>[0-9a-f]{{40}})|(?P<change>{_NAME})?(?:@(?P<tag>{_NAME}))?)"
)
_ESCAPES = {r"\n": "\n", r"\r": "\r", r"\\": "\\"}


class PlanUnreadable(CheckError):
    """A line of sqitch.plan is not what Sqitch understands. `line` counts from 1."""

    code: ClassVar[str] = "sqitch-plan-unreadable"

    def __init__(self, *, line: int, problem: str) -> None:
        self.line = line
        super().__init__(
            f"{PLAN}, line {line}: {problem}. In which order the changes reach the database is not certain, so no "
            "migration was read. Correct the plan; `sqitch plan` says whether Sqitch can read it."
        )


@dataclass(slots=True)
class Change:
    """One change of a plan. `tags` follow it; `rework_tags` are those until it was reworked, the latest first.

    `identity` is the SHA-1 that Sqitch keeps as its change_id. `number` says how often the change was there by then: 1,
    and more for what was reworked.
    """

    name: str
    line: int
    identity: str
    number: int = 1
    tags: list[str] = field(default_factory=list)
    rework_tags: list[str] = field(default_factory=list)


def changes_of(text: str) -> tuple[Change, ...]:
    """Return the changes of a plan in order. Raises PlanUnreadable."""
    plan = _Plan()
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        plan.add(line.removesuffix("\r"), number)
    if "project" not in plan.pragmas:
        raise PlanUnreadable(line=1, problem="there is no %project")
    return tuple(plan.changes)


@dataclass(slots=True)
class _Plan:
    changes: list[Change] = field(default_factory=list)
    pragmas: dict[str, str] = field(default_factory=dict)
    tags: dict[str, int] = field(default_factory=dict)  # tag -> how many changes come before it
    latest: dict[str, int] = field(default_factory=dict)  # name -> its newest place
    first: dict[str, int] = field(default_factory=dict)  # name -> its first place
    is_header: bool = True

    def add(self, line: str, number: int) -> None:
        """Take in one line. Raises PlanUnreadable."""
        said, _, note = line.partition("#")
        if not said.strip(" \t"):
            self.is_header = self.is_header and bool(note.strip())
        elif self.is_header:
            pragma = _PRAGMA.fullmatch(said)
            if pragma is None:
                raise PlanUnreadable(line=number, problem="a blank line must stand between the pragmas and the changes")
            self.pragmas[pragma["name"]] = pragma["value"] or ""
        else:
            match = _LINE.fullmatch(said)
            if match is None:
                raise PlanUnreadable(line=number, problem="it is neither a change nor a tag, with date and planner")
            (self._tag if match["tag"] else self._change)(match, note, number)

    def _tag(self, match: re.Match[str], _: str, number: int) -> None:
        if not self.changes or match["name"] in self.tags or match["needs"]:
            raise PlanUnreadable(line=number, problem=f"the tag @{match['name']} is used twice, or follows no change")
        self.tags[match["name"]] = len(self.changes)
        self.changes[-1].tags.append(match["name"])

    def _change(self, match: re.Match[str], note: str, number: int) -> None:
        name, place = match["name"], len(self.changes)
        earlier = self.latest.get(name)
        if earlier is not None:
            between = [tag for change in reversed(self.changes[earlier:]) for tag in change.tags]
            if not between:
                problem = f"{name} stands twice without a tag between, first on line {self.changes[earlier].line}"
                raise PlanUnreadable(line=number, problem=problem)
            self.changes[earlier].rework_tags = between
        requires, conflicts = self._needs(match["needs"] or "", name, number)
        identity = self._identity(match, note, requires, conflicts)
        copy = 1 if earlier is None else self.changes[earlier].number + 1
        self.changes.append(Change(name, number, identity, copy))
        self.latest[name] = place
        self.first.setdefault(name, place)

    def _needs(self, written: str, name: str, number: int) -> tuple[list[str], list[str]]:
        """Return what a change requires and what it conflicts with, as Sqitch writes them."""
        requires: list[str] = []
        conflicts: list[str] = []
        for word in written.split():
            need = _NEED.fullmatch(word)
            if need is None:
                raise PlanUnreadable(line=number, problem=f"{word} is no dependency")
            is_here = need["project"] in {None, self.pragmas.get("project")}
            if not need["conflicts"] and is_here and not need["id"] and not self._is_planned(need):
                raise PlanUnreadable(line=number, problem=f"{name} requires {word}, which is not planned before it")
            key = word.removeprefix("!")
            (conflicts if need["conflicts"] else requires).append(
                key.partition(":")[2] if is_here and need["project"] else key
            )
        return requires, conflicts

    def _is_planned(self, need: re.Match[str]) -> bool:
        change, tag = need["change"], need["tag"]
        if tag is not None and tag not in self.tags:
            return False
        return change is None or (change in self.first and (tag is None or self.first[change] < self.tags[tag]))

    def _identity(self, match: re.Match[str], note: str, requires: list[str], conflicts: list[str]) -> str:
        facts = [f"project {self.pragmas.get('project', '')}"]
        facts += [f"uri {self.pragmas['uri']}"] if "uri" in self.pragmas else []
        facts.append(f"change {match['name']}")
        facts += [f"parent {self.changes[-1].identity}"] if self.changes else []
        facts += [f"planner {match['planner']}", f"date {match['date']}"]
        facts += ["requires", *(f"  + {one}" for one in requires)] if requires else []
        facts += ["conflicts", *(f"  - {one}" for one in conflicts)] if conflicts else []
        said = "".join(_unescaped(note.strip()))
        content = "\n".join([*facts, *(["", said] if said else [])]).encode()
        return hashlib.sha1(b"change %d\0%s" % (len(content), content), usedforsecurity=False).hexdigest()


def _unescaped(note: str) -> Iterator[str]:
    return (_ESCAPES.get(piece, piece) for piece in re.split(r"(\\[rn\\])", note))
