"""Where the commands of an ALTER TABLE are in its text: the parse tree does not tell."""

from __future__ import annotations

from checks.statements import tokens

_OPENS, _CLOSES = frozenset({"(", "["}), frozenset({")", "]"})


def command_offsets(sql: str) -> tuple[int, ...]:
    """Return where each command of an ALTER TABLE begins, in characters of the statement."""
    found: list[int] = []
    depth, is_next = 0, True
    every = list(tokens(sql))
    for _, start, end in every[_first_command([name for name, _, _ in every]) :]:
        if is_next:
            found.append(start)
        written = sql[start:end]
        depth += (written in _OPENS) - (written in _CLOSES)
        is_next = written == "," and depth == 0
    return tuple(found)


def _first_command(names: list[str]) -> int:
    """Return the place of the first token behind the name: ALTER TABLE [IF EXISTS] [ONLY] name [*]."""
    place = next((at for at, name in enumerate(names) if name == "TABLE"), 0) + 1
    while names[place : place + 1] and names[place] in {"IF_P", "EXISTS", "ONLY"}:
        place += 1
    place += 1
    while names[place : place + 1] == ["ASCII_46"]:
        place += 2
    return place + (names[place : place + 1] == ["ASCII_42"])
