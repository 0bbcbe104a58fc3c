"""domain-constraint-scan: a constraint of a domain is tried on every table that has a column of it."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.commands import waiting
from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work
from checks.names import parts, quote
from checks.tree import Tree

_ADD, _VALIDATE, _NOT_NULL = "C", "V", "O"  # the parser's letters for the forms of ALTER DOMAIN


def _judge(context: Context) -> Iterator[Hit]:
    for seen in context.seen:
        tree = seen.statement.tree
        if tree.tag != "AlterDomainStmt":
            continue
        felt = tuple(lock for lock in seen.effects.felt if Work.SCAN in lock.work | lock.maybe)
        if felt:
            yield Hit(
                seen.statement,
                f"{_what(tree)} reads every row of each table with a column of {tree.dotted('typeName')}; until it is "
                f"done, {waiting(felt)}.",
                _rewrite(seen, tree),
            )
        elif not _is_sure(seen) and _scans(tree):
            yield Hit(
                seen.statement,
                f"{_what(tree)} reads every row of each table with a column of {tree.dotted('typeName')}, and blocks "
                "writes to all of them meanwhile. Which tables those are is not known here.",
                _rewrite(seen, tree),
            )


def _is_sure(seen: Seen) -> bool:
    return seen.before.is_complete and not seen.before.doubts


def _scans(tree: Tree) -> bool:
    made = tree.get("def_")
    return tree.text("subtype") in {_VALIDATE, _NOT_NULL} or (
        tree.text("subtype") == _ADD and made is not None and not made.flag("skip_validation")
    )


def _what(tree: Tree) -> str:
    name = quote(tree.text("name")) if tree.text("name") else ""
    if tree.text("subtype") == _VALIDATE:
        return f"Validating {name}"
    if tree.text("subtype") == _NOT_NULL:
        return "SET NOT NULL"
    made = tree.get("def_")
    return f"Adding {quote(made.text('conname'))}" if made and made.text("conname") else "Adding a constraint"


def _rewrite(seen: Seen, tree: Tree) -> str:
    """Return the constraint as NOT VALID, for what is a CHECK that is added."""
    made, domain = tree.get("def_"), tree.dotted("typeName")
    if tree.text("subtype") != _ADD or made is None or made.enum("contype") != "CONSTR_CHECK":
        return ""
    placed = domain if len(parts(domain)) > 1 or len(seen.before.path) == 1 else ""
    if not placed:
        return ""
    return (
        f"-- holds for values written from now on; VALIDATE would block writes to the tables as much\n"
        f"ALTER DOMAIN {placed} ADD {made.sql()} NOT VALID;"
    )


RULE = Rule(
    code="domain-constraint-scan",
    title="Constraint of a domain tried on every table that uses it",
    severity=Severity.WARNING,
    group=Group.CONSTRAINTS,
    why="A domain can be the type of columns in many tables. A constraint on it locks each of them with SHARE and "
    "reads all their rows, in one transaction. VALIDATE takes the same lock; for domains NOT VALID only helps if it "
    "stays.",
    blocks="Writes to every table with a column of the domain, as long as the scans take together.",
    help="Add it as NOT VALID and leave it so, or put the condition on the tables: a CHECK as NOT VALID, validated in "
    "a later transaction, blocks nobody.",
    source="PostgreSQL manual, ALTER DOMAIN; locks measured on 14 to 18",
    judge=_judge,
    given="CREATE DOMAIN amount AS numeric;\n"
    "CREATE TABLE orders (id bigint PRIMARY KEY, total amount);\n"
    "CREATE TABLE payments (id bigint PRIMARY KEY, total amount);\n"
    "INSERT INTO orders VALUES (1, 10);",
    bad="ALTER DOMAIN amount ADD CONSTRAINT amount_check CHECK (VALUE >= 0);",
    good="ALTER DOMAIN amount ADD CONSTRAINT amount_check CHECK (VALUE >= 0) NOT VALID;",
)
