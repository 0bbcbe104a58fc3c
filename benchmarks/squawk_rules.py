"""What each rule of squawk is called here, and why some of its findings are not ours: one sentence each."""

from collections.abc import Callable
from dataclasses import dataclass

from checks.context import Seen
from checks.locks import Work
from checks.model import Schema

_TIMEOUTS = "timeouts are set by who runs the file, and retried"
_STYLE = "a matter of taste: asked for with --style"
_NEW = "nobody uses the table yet: this file made it"
_NOT_FELT = "nothing that was there before is locked against writes"
_INSTANT = "no row is read or written: the lock lasts a moment"
_AGAIN = "the same file makes it again"
_NOT_THERE = "it is not there"
_UNUSED = "nothing that is known uses it"


@dataclass(frozen=True, slots=True)
class Answer:
    """How a finding of squawk is answered: by one of `codes` on the same statement, or by why it is harmless there.

    `harmless` gives that reason for a statement and the schema after its file, or "" when there is none; `always` is
    the reason everywhere.
    """

    codes: tuple[str, ...] = ()
    harmless: Callable[[Seen, Schema], str] = lambda _seen, _after: ""
    always: str = ""


def _is_unknown(seen: Seen) -> bool:
    return bool(seen.effects.unknown or seen.effects.untold)


def _unless_felt(seen: Seen, _after: Schema) -> str:
    """Return why a lock is no matter here: nobody who uses the table can notice it."""
    return "" if seen.effects.felt or _is_unknown(seen) else _NEW if seen.effects.locks else _NOT_FELT


def _unless_slow(*kinds: Work) -> Callable[[Seen, Schema], str]:
    """Return the reason of statements that do none of this work on what was there before."""

    def reason(seen: Seen, after: Schema) -> str:
        done = {kind for lock in seen.effects.felt for kind in lock.work | lock.maybe}
        return "" if done & set(kinds) or _is_unknown(seen) else _unless_felt(seen, after) or _INSTANT

    return reason


def _index_or_constraint(seen: Seen, after: Schema) -> str:
    if seen.statement.kind in {"ALTER INDEX RENAME", "ALTER TABLE RENAME", "ALTER TRIGGER RENAME"}:
        return "no query names an index, a constraint or a trigger"
    return _unless_felt(seen, after)


def _drops_new(seen: Seen, _after: Schema) -> str:
    return _NEW if any(lock.is_new for lock in seen.effects.locks) and not seen.effects.felt else ""


def _drops_for_a_moment(seen: Seen, after: Schema) -> str:
    """Return why a constraint or a view that is dropped is not missed: it is new, or there again after the file."""
    tree = seen.statement.tree
    table, before = after.find(tree.relation()), seen.before.find(tree.relation())
    dropped = [one.text("name") for one in tree.each("cmds") if one.enum("subtype") == "AT_DropConstraint"]
    if dropped and table is not None and all(name in table.constraints for name in dropped):
        return _AGAIN
    if dropped and before is not None and not any(name in before.constraints for name in dropped):
        return _NOT_THERE
    if not dropped and all(after.find(name) for name in seen.statement.relations):
        return _AGAIN
    if not seen.effects.locks and not _is_unknown(seen):
        return _NOT_THERE
    return _drops_new(seen, after)


def _is_there_already(seen: Seen, after: Schema) -> str:
    table = seen.before.find(seen.statement.tree.relation())
    added = [found.text("colname") for one in seen.statement.tree.each("cmds") if (found := one.get("def"))]
    if table is not None and added and all(name in table.columns for name in added):
        return "it is there already: IF NOT EXISTS passes over it"
    return _unless_felt(seen, after)


def _is_passed_over(seen: Seen, after: Schema) -> str:
    if seen.statement.tree.flag("missing_ok") and not seen.effects.locks:
        return "as far as is known it is not there: IF EXISTS passes over it"
    return _unless_felt(seen, after)


def _is_made_again(seen: Seen, after: Schema) -> str:
    table = after.find(seen.statement.tree.relation())
    if table is not None and seen.statement.tree.text("subname") in table.columns:
        return _AGAIN
    return _drops_new(seen, after)


def _uses_nothing(seen: Seen, _after: Schema) -> str:
    return "" if seen.effects.locks or _is_unknown(seen) else _UNUSED


ANSWERS: dict[str, Answer] = {
    "adding-field-with-default": Answer(
        ("column-default-volatile", "column-generated-stored", "column-numbered", "column-of-constrained-domain"),
        _unless_slow(Work.REWRITE),
    ),
    "adding-foreign-key-constraint": Answer(
        ("foreign-key-scan", "foreign-key-locks-parent", "column-added-with-reference"), _unless_slow(Work.KEY_CHECK)
    ),
    "adding-not-nullable-field": Answer(
        ("set-not-null-scan", "column-not-null-without-default"), _unless_slow(Work.SCAN)
    ),
    "adding-required-field": Answer(("column-not-null-without-default", "column-numbered"), _is_there_already),
    "adding-serial-primary-key-field": Answer(
        ("primary-key-build", "column-added-with-index", "column-numbered", "primary-key-scan"),
        _unless_slow(Work.REWRITE, Work.BUILD),
    ),
    "ban-alter-domain-with-add-constraint": Answer(("domain-constraint-scan",), _unless_felt),
    "ban-char-field": Answer(("char-padded",), always=_STYLE),
    "ban-concurrent-index-creation-in-transaction": Answer(("mixed-transaction",)),
    "ban-create-domain-with-constraint": Answer(("domain-with-constraint",), always=_STYLE),
    "ban-drop-column": Answer(("column-dropped",), _drops_new),
    "ban-drop-constraint": Answer(("constraint-dropped",), _drops_for_a_moment),
    "ban-drop-database": Answer(("schema-dropped",)),
    "ban-drop-default": Answer(
        ("default-dropped",), always="a column that may be null keeps working for those who leave it out"
    ),
    "ban-drop-extension": Answer(("drop-cascade", "object-dropped", "extension-changed")),
    "ban-drop-function": Answer(("object-dropped", "drop-cascade"), _uses_nothing),
    "ban-drop-not-null": Answer(("not-null-dropped",), _drops_new),
    "ban-drop-schema": Answer(("schema-dropped", "drop-cascade"), _uses_nothing),
    "ban-drop-sequence": Answer(("object-dropped", "drop-cascade")),
    "ban-drop-table": Answer(("table-dropped", "drop-cascade"), _drops_for_a_moment),
    "ban-drop-type": Answer(("object-dropped", "drop-cascade"), _uses_nothing),
    "ban-drop-view": Answer(("object-dropped", "drop-cascade"), _drops_for_a_moment),
    "ban-truncate-cascade": Answer(("table-truncated",), _drops_new),
    "ban-uncommitted-transaction": Answer(("transaction-control",)),
    "changing-column-type": Answer(
        ("column-type-change", "key-type-change", "column-type-time-zone"),
        _unless_slow(Work.REWRITE, Work.SCAN, Work.BUILD),
    ),
    "constraint-missing-not-valid": Answer(
        (
            "check-scan",
            "foreign-key-scan",
            "foreign-key-locks-parent",
            "column-added-with-check",
            "primary-key-build",
            "unique-build",
            "exclusion-build",
        ),
        _unless_slow(Work.SCAN, Work.KEY_CHECK),
    ),
    "disallowed-unique-constraint": Answer(("unique-build", "column-added-with-index"), _unless_slow(Work.BUILD)),
    "identifier-too-long": Answer(("identifier-too-long",)),
    "prefer-bigint-over-int": Answer(("key-small-integer",), always=_STYLE),
    "prefer-bigint-over-smallint": Answer(("key-small-integer",), always=_STYLE),
    "prefer-identity": Answer(("serial-not-identity",), always=_STYLE),
    "prefer-robust-stmts": Answer(
        ("not-re-runnable", "index-concurrently-if-not-exists"),
        always="the file is one transaction: it is done as a whole or not at all",
    ),
    "prefer-text-field": Answer(("varchar-limited",), always=_STYLE),
    "prefer-timestamp-tz": Answer(("timestamp-without-time-zone",), always=_STYLE),
    "renaming-column": Answer(("column-renamed",), _is_made_again),
    "renaming-object": Answer(
        ("object-renamed", "table-renamed", "column-renamed"),
        _index_or_constraint,
    ),
    "renaming-table": Answer(("table-renamed",), _drops_new),
    "require-concurrent-index-creation": Answer(
        ("index-not-concurrent", "index-on-partitioned"), _unless_slow(Work.BUILD)
    ),
    "require-concurrent-index-deletion": Answer(("index-drop-not-concurrent", "index-dropped-first"), _is_passed_over),
    "require-concurrent-partition-detach": Answer(("partition-detach-not-concurrent",), _unless_felt),
    "require-concurrent-reindex": Answer(("reindex-not-concurrent",), _unless_felt),
    "require-enum-value-ordering": Answer(
        ("enum-value-added",), always="the place of a value matters only where rows are sorted by it"
    ),
    "require-lock-timeout": Answer(always=_TIMEOUTS),
    "require-statement-timeout": Answer(always=_TIMEOUTS),
    "syntax-error": Answer(("unparsable-sql",), always="PostgreSQL's own grammar takes it"),
    "transaction-nesting": Answer(("transaction-control",)),
}
