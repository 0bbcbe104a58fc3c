"""Whether a rollback script brings everything back, or says what it does not: one answer of the checklist."""

from __future__ import annotations

from checks.changes import Verb
from checks.comments.directives import Kind, directives
from checks.context import Context
from checks.reviewing.reversal import Lost, lost, reversal
from checks.reviewing.values import ItemOutcome
from checks.words import listed


def judge_way_back(forward: Context, rollback: Context) -> tuple[ItemOutcome, str, tuple[str, ...]]:
    """Return the outcome, why, and the evidence. `rollback` is followed on the schema that `forward` leaves behind."""
    found = reversal(forward, rollback)
    named = {one.argument for script in (forward.script, rollback.script) for one in directives(script)
             if one.kind is Kind.IRREVERSIBLE}  # fmt: skip
    destroyed = lost(forward)
    silent = [one for one in destroyed if not any(map(one.is_declared, named)) and not _is_rewritten(one, rollback)]
    declared = [one.name for one in destroyed if any(map(one.is_declared, named))]
    problems = [*found.refused, *found.different]
    problems += [
        f"{one.name} {one.words} (line {one.line}) and does not come back: "
        f"declare it with -- locktender: irreversible {one.name}"
        for one in silent
    ]
    if problems:
        return ItemOutcome.NOT_MET, "It does not bring everything back.", tuple(problems)
    if found.unknown:
        words = "What can be compared comes back; the rest is not known."
        return ItemOutcome.NOT_KNOWN, words, tuple(f"not compared: {one}" for one in found.unknown)
    again = "The schema is as it was after both were replayed."
    if declared:
        again += f" Declared irreversible: {listed(declared)}."
    rewritten = tuple(
        f"{one.name} {one.words}, and the rollback writes it again; whether with the same values is not compared"
        for one in destroyed
        if one.name not in declared
    )
    return ItemOutcome.MET, again, rewritten


_WRITES = frozenset({Verb.INSERT, Verb.UPDATE, Verb.MERGE, Verb.CHANGE_ALL_ROWS})


def _is_rewritten(one: Lost, rollback: Context) -> bool:
    """True when the rollback writes rows of the table, and the column where it is one."""
    for seen in rollback.seen:
        for change in seen.statement.changes:
            if (
                change.verb in _WRITES
                and change.detail != "DELETE"
                and str(seen.before.place(change.table)) == one.table
            ):
                sets = {node.text("name") for node in seen.statement.tree.walk() if node.tag == "ResTarget"}
                if not one.column or one.column.strip('"') in sets:
                    return True
    return False
