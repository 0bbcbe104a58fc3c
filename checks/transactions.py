"""How a script is divided into transactions: one, none, its own, or what its author declares."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby

from checks.comments.directives import Kind, directives
from checks.outside.aims import Aim, aim_of
from checks.statements import Script, Statement

_WITHIN = frozenset({"SAVEPOINT", "RELEASE", "ROLLBACK TO"})
_BEGINS, _ENDS = frozenset({"BEGIN", "START"}), frozenset({"COMMIT"})


def is_declared(script: Script) -> bool:
    """True when the author declares that the file is not to be one transaction."""
    if not _mentions(script.text):
        return False  # the comments of nearly every file need not be read
    return any(one.kind is Kind.NO_TRANSACTION for one in directives(script))


@lru_cache(maxsize=64)
def _mentions(text: str) -> bool:
    return Kind.NO_TRANSACTION in text.lower()


def is_setting(statement: Statement) -> bool:
    """True for SET and RESET of a whole session: not mixed with anything, it is made in the session of what follows."""
    tree = statement.tree
    return tree.tag == "VariableSetStmt" and not tree.flag("is_local") and tree.enum("kind") != "VAR_SET_MULTI"


# How long it may wait and take, and with how much: another value of these changes nothing of what a statement does.
_MEANS_NOTHING = frozenset(
    (
        "application_name",
        "client_min_messages",
        "deadlock_timeout",
        "idle_in_transaction_session_timeout",
        "lock_timeout",
        "maintenance_work_mem",
        "max_parallel_maintenance_workers",
        "max_parallel_workers",
        "max_parallel_workers_per_gather",
        "statement_timeout",
        "synchronous_commit",
        "transaction_timeout",
        "vacuum_cost_delay",
        "vacuum_cost_limit",
        "work_mem",
    )
)


def gives_meaning(statement: Statement) -> bool:
    """True for a setting after which the same text may do another thing, as search_path; also for one not known."""
    return is_setting(statement) and statement.tree.text("name").lower() not in _MEANS_NOTHING


def is_one_transaction(script: Script) -> bool:
    """True when the whole file is applied or nothing of it, because nothing in it forbids that."""
    return not any(one.outside_transaction for one in script.statements) and not is_declared(script)


def is_mixed(script: Script) -> bool:
    """True when the file can stop halfway although some of it could be one transaction."""
    if is_one_transaction(script):
        return False
    acting = [one for one in script.statements if not is_setting(one)]
    return len(acting) > 1 and not all(one.outside_transaction for one in acting)


def aim_in(script: Script, statement: Statement) -> Aim | None:
    """Return what a statement is to leave behind when it runs by itself; None for one that runs in a transaction."""
    return None if statement.batch else aim_of(statement.tree, is_declared=is_declared(script))


def sendable(script: Script) -> tuple[Statement, ...] | None:
    """Return the statements to send when the runner opens the transaction; None where that would change what is meant.

    One BEGIN before everything and one COMMIT after it say what the runner does anyway. Savepoints stay within it.
    """
    statements = script.statements
    controls = [one for one in statements if one.transaction_control]
    if not controls:
        return statements
    if not is_one_transaction(script):
        return None
    begins = _is_plain(statements[0]) and statements[0].kind in _BEGINS
    ends = _is_plain(statements[-1]) and statements[-1].kind in _ENDS
    if begins != ends:
        return None
    inner = statements[1:-1] if begins else statements
    if any(one.transaction_control and one.kind not in _WITHIN for one in inner):
        return None
    return inner


def divided(script: Script) -> Iterator[tuple[bool, tuple[Statement, ...]]]:
    """Yield the files that a mixed one should be, in order: whether without a transaction, and its statements.

    What refuses a transaction is alone in its file, as some tools ask. Settings of the session go into every file after
    them.
    """
    settings: list[Statement] = []
    acting: list[tuple[bool, Statement, tuple[Statement, ...]]] = []
    for one in script.statements:
        if is_setting(one):
            settings.append(one)
        else:
            is_outside = one.batch is not None or aim_in(script, one) is not None
            acting.append((is_outside, one, tuple(settings)))
    for _, group in groupby(acting, lambda told: (told[0], told[1].index if told[0] else -1)):
        every = list(group)
        told = [*every[-1][2], *(one for _, one, _ in every)]
        yield every[0][0], tuple(sorted(told, key=lambda one: one.index))


def _is_plain(statement: Statement) -> bool:
    return statement.transaction_control and not statement.tree.each("options") and not statement.tree.flag("chain")
