"""How a migration that does several unrelated things falls apart into files of their own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from checks.changes import Verb
from checks.names import split as named
from checks.statements import Statement

if TYPE_CHECKING:
    from checks.context import Context, Seen

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_SETTINGS = frozenset({Verb.SETTING, Verb.RAISE_TIMEOUT, Verb.SETTING_UNKNOWN, Verb.SESSION_ROLE})
_UNTOLD = frozenset({Verb.UNKNOWN, Verb.PROCEDURE, Verb.TRANSACTION, Verb.COPY_PROGRAM})


@dataclass(frozen=True, slots=True)
class Split:
    """One file of a proposal. `statements` are the indexes of those that belong to it; `text` is the whole file.

    `title` names what it is about. `is_alone` says that it must run outside a transaction, as the only statement.
    """

    title: str
    statements: tuple[int, ...]
    text: str
    is_alone: bool = False


def split(context: Context) -> tuple[Split, ...]:
    """Return the files that a migration should be, in order; () when it is one thing, or when that cannot be told.

    Together stays what touches the same relations, types or functions, also through a name in the body of a function.
    A statement that must run outside a transaction gets a file of its own. Settings go into every file. Nothing is
    reordered within a file, and no proposal is made when a statement cannot be analysed.
    """
    statements = context.script.statements
    if any(change.verb in _UNTOLD for one in statements for change in one.changes):
        return ()
    settings = [one for one in statements if all(change.verb in _SETTINGS for change in one.changes)]
    if len(statements) - len(settings) <= 1:
        return ()
    about = {one.statement.index: _about(one) for one in context.seen if one.statement not in settings}
    groups = _groups(context, about)
    if len(groups) == 1:
        return ()
    return tuple(_file(context, group, settings) for group in groups)


def _about(seen: Seen) -> frozenset[str]:
    """Return what a statement touches, each as a word that is the same wherever it is touched."""
    touched = {one.relation for one in seen.effects.locks}
    named_objects = (*seen.statement.relations, *(one.table for one in seen.statement.changes if one.table))
    touched |= {seen.before.place(one) for one in named_objects}
    found = {f"{one.schema}.{one.name}" for one in touched}
    for node in seen.statement.tree.walk():
        for attribute in ("names", "funcname", "typeName", "objname", "name"):
            pieces = [part.text("sval") for part in node.each(attribute) if part.tag == "String"]
            if pieces and node.tag in _NAMING and "pg_catalog" not in pieces:
                found.add(f"object {pieces[-1]}")
        if node.tag == "DefElem" and node.text("defname") == "as" and (body := node.get("arg")):
            # A function's text names tables; its words are compared with the names that others touch.
            found |= {f"word {word.lower()}" for item in body.items() for word in _WORD.findall(item.text("sval"))}
    return frozenset(found)


_NAMING = frozenset({
    "TypeName", "FuncCall", "CreateFunctionStmt", "CreateTrigStmt", "CreateEnumStmt", "CompositeTypeStmt",
    "CreateDomainStmt", "AlterEnumStmt", "AlterDomainStmt", "ObjectWithArgs", "DefineStmt",
})  # fmt: skip


def _groups(context: Context, about: dict[int, frozenset[str]]) -> list[list[int]]:
    """Return the statements that belong together, each group in order, and the groups by their first statement.

    Two groups become one where a statement touches both, unless that would move a statement before one that is alone
    and that it may need.
    """
    known = {_bare(name) for names in about.values() for name in names if "." in name}
    known |= {name.lower() for name in _made(context)}
    parent = {index: index for index in about}
    first = dict(parent)  # of a group, by its root: its first statement
    after = dict.fromkeys(about, -1)  # and the last that is alone and that one of them may need
    owner: dict[str, int] = {}
    alone: dict[str, int] = {}

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for index, touched in sorted(about.items()):
        # A type or function that was there before joins nobody, and a word of a body only what it names.
        names = {_bare(name) for name in touched if "." in name or _bare(name) in known}
        after[index] = max((alone[name] for name in names if name in alone), default=-1)
        if context.script.statements[index].outside_transaction:
            alone |= dict.fromkeys(names, index)
            continue
        mine = index
        others = {root(owner[name]) for name in names if name in owner}
        for other in sorted(others, key=lambda one: first[one], reverse=True):
            latest, earliest = max(after[mine], after[other]), min(first[mine], first[other])
            if latest < earliest:
                parent[mine], after[other], first[other] = other, latest, earliest
                mine = other
        owner |= dict.fromkeys(names, index)
    found: dict[int, list[int]] = {}
    for index in sorted(about):
        found.setdefault(root(index), []).append(index)
    return sorted(found.values())


def _bare(name: str) -> str:
    return name.rpartition(".")[2].rpartition(" ")[2].lower()


def _made(context: Context) -> frozenset[str]:
    """Return the bare names of types and functions that the script itself makes."""
    names = (
        [part.text("sval") for part in one.tree.each(attribute) if part.tag == "String"]
        for one in context.script.statements
        if one.kind.startswith("CREATE ")
        for attribute in ("funcname", "typeName", "domainname", "defnames")
    )
    return frozenset(one[-1] for one in names if one)


def _file(context: Context, group: list[int], settings: Iterable[Statement]) -> Split:
    statements = context.script.statements
    is_alone = statements[group[0]].outside_transaction
    before = [] if is_alone else [one.sql + ";" for one in settings if one.index < group[-1]]
    text = "\n".join((*before, *(_text(context, index) for index in group)))
    return Split(_title(context, group), tuple(group), text + "\n", is_alone)


def _text(context: Context, index: int) -> str:
    """Return a statement with the comments before it, as the author wrote them."""
    one, text = context.script.statements[index], context.script.text
    last = context.script.statements[index - 1] if index else None
    start = last.offset + len(last.sql) if last else 0
    above = text[start : one.offset].lstrip(" \t")
    above = above.removeprefix(";")
    # What stands behind the last statement on its line belongs to that one.
    if last is not None and "\n" in above:
        above = above[above.index("\n") :]
    return f"{above.strip()}\n{one.sql};".lstrip("\ufeff \n")


def _title(context: Context, group: list[int]) -> str:
    tables: dict[str, None] = {}
    for index in group:
        for change in context.script.statements[index].changes:
            if change.table or change.name:
                tables[named(change.table or change.name)[1]] = None
    return "_and_".join(list(tables)[:2]) or f"part_{group[0] + 1}"
