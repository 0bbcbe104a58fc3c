"""statement-will-fail: the schema is known, and on it the server refuses the statement."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.model import Kind, Name
from checks.names import quote
from checks.rules._syntax import too_new


def _judge(context: Context) -> Iterator[Hit]:
    made: set[tuple[Name, str]] = set()
    for seen in context.seen:
        if seen.effects.fails and (seen.effects.repeats or seen.before.is_certain):
            if too_new(seen.statement, context.world.version) is None:
                yield Hit(seen.statement, f"The server will refuse this: {seen.effects.fails}.")
            return  # what comes after it does not run; what is said about it would be a guess
        if context.is_one_transaction and (table := _divided(seen)):
            reason = f"{table} is partitioned, and of such a table {seen.statement.kind} does not run in a transaction"
            yield Hit(seen.statement, f"The server will refuse this: {reason}. {_WAYS}")
            return
        if reason := _made_twice(seen, made):
            yield Hit(seen.statement, f"The server will refuse this: {reason}.")
            return


def _made_twice(seen: Seen, made: set[tuple[Name, str]]) -> str:
    """Return what a statement makes on a table that is not known, if this script has made it there before.

    `made` is what the script has made so far; what takes something away, or may, empties it.
    """
    tree, table = seen.statement.tree, seen.before.place(seen.statement.tree.relation())
    if seen.before.relations.get(table) is not None:
        return ""
    found: list[tuple[Name, str]] = []
    if tree.tag == "AlterTableStmt" and {one.enum("subtype") for one in tree.each("cmds")} == {"AT_AddColumn"}:
        columns = [one.get("def_") for one in tree.each("cmds") if not one.flag("missing_ok")]
        found = [(table, f"the column {quote(one.text('colname'))} of {table}") for one in columns if one]
    elif tree.tag == "IndexStmt" and tree.text("idxname") and not tree.flag("if_not_exists"):
        found = [(Name(table.schema, tree.text("idxname")), f"the index {quote(tree.text('idxname'))}")]
    elif tree.tag in {"DropStmt", "RenameStmt", "AlterTableStmt", "AlterObjectSchemaStmt", "TransactionStmt"} or (
        seen.effects.unknown
    ):
        made.clear()
    again = next((what for one, what in found if (one, what) in made), "")
    made.update(found)
    return f"the script has made {again} before" if again else ""


_WAYS = "Write it for each partition, or declare that the file is not one: -- locktender: no-transaction"


def _divided(seen: Seen) -> str:
    """Return the partitioned table that a REINDEX or CLUSTER is about: the text does not tell that it is one."""
    tree = seen.statement.tree
    if tree.tag not in {"ReindexStmt", "ClusterStmt"} or not tree.relation():
        return ""
    found = seen.before.find(tree.relation()) or seen.before.find_index(tree.relation())
    return str(found.name) if found is not None and found.kind is Kind.PARTITIONED else ""


RULE = Rule(
    code="statement-will-fail",
    title="The server will refuse the statement",
    severity=Severity.BLOCKING,
    group=Group.SCRIPT,
    why="All migrations before it are known, so the tables, columns and constraints are too. This statement does not "
    "fit them: something that it needs is not there, or what it makes is there already. In a transaction the whole "
    "file is rolled back, and the release stops.",
    blocks="Nothing that lasts: the file fails.",
    help="Correct the statement, or the migration before it. If the database differs from its migrations, that is "
    "drift: resolve it first.",
    source="measured: the errors of PostgreSQL 14 to 18 on the same schemas",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric);\n"
    "CREATE VIEW totals AS SELECT total FROM orders;",
    bad="ALTER TABLE orders ALTER COLUMN totl SET DEFAULT 0;",
    good="ALTER TABLE orders ALTER COLUMN total SET DEFAULT 0;",
)
