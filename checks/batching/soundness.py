"""Why a statement that is declared as batched would do something else in batches than in one piece."""

from __future__ import annotations

from collections.abc import Iterator

from checks.batching.keys import keys_of
from checks.batching.shape import is_same
from checks.model import Constraint, ConstraintKind, Kind, Name, Relation, Schema
from checks.names import quote, unqualified
from checks.statements import Statement
from checks.tree import Tree

# What is the same for a whole statement, or for a whole transaction, and another for every batch.
_MOMENTS = frozenset({"now", "transaction_timestamp", "statement_timestamp", "clock_timestamp", "timeofday"})
_TRANSACTION = frozenset(
    """
    currval lastval pg_current_snapshot pg_current_xact_id pg_current_xact_id_if_assigned txid_current
    txid_current_if_assigned txid_current_snapshot pg_export_snapshot
    """.split()  # noqa: SIM905 - words, not a list of strings
)
_WRITERS = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_KEEPS = frozenset({"", "NO ACTION", "RESTRICT"})
_KEYS = frozenset({ConstraintKind.UNIQUE, ConstraintKind.PRIMARY_KEY, ConstraintKind.EXCLUSION})


def problems(statement: Statement, schema: Schema) -> Iterator[str]:
    """Yield in words why a statement cannot be batched as it is declared, each with what to do. None: it can be.

    A table that is not known, in a schema that may have more than is known, is not judged: the executor looks at the
    key again before the first batch.
    """
    batch = statement.batch
    if batch is None:
        return
    if batch.problem:
        yield f"{batch.problem}."
        return
    yield from _of_text(statement)
    relation = schema.find(batch.table)
    if relation is None:
        if schema.is_certain:
            yield f"there is no table {batch.table}: correct the name."
        return
    yield from _of_key(batch.table, batch.key, relation)
    yield from _of_table(statement, relation, schema)
    yield from _of_reading(statement, schema)


def _of_text(statement: Statement) -> Iterator[str]:
    tree, batch = statement.tree, statement.batch
    assert batch is not None  # noqa: S101 # asked by `problems`
    if any(one.tag in _WRITERS for one in tree.walk() if one.node is not tree.node):
        yield "a query in WITH writes: make it a statement of its own."
    if tree.each("returningList") or tree.get("returningClause"):
        yield "nobody reads what RETURNING returns: leave it out."
    for one in tree.walk():
        if one.tag == "FuncCall" and _function(one) in _TRANSACTION:
            yield f"{_function(one)}() is another for every batch: write the value instead."
    if moment := next(_moments_in_conditions(tree), ""):
        yield f"{moment} in a condition moves on from batch to batch: write the moment as a constant."
    if tree.tag == "UpdateStmt":
        changed = {one.text("name") for one in tree.each("targetList")}
        if own := [column for column in batch.key if unqualified(column) in changed]:
            yield f"it changes {', '.join(own)}, the key that the batches go by: choose another key."
    written = tree.relation()
    uses = [one.range_name() for one in _read(tree)]
    if any(is_same(one, written) for one in uses):
        yield (
            f"it also reads {written}, which its own earlier batches have changed by then: put what it needs into a "
            "table of its own first."
        )


def _function(call: Tree) -> str:
    names = [part.text("sval") for part in call.each("funcname")]
    return names[-1] if "".join(names[:-1]) in {"", "pg_catalog"} else ""


def _moments_in_conditions(tree: Tree) -> Iterator[str]:
    """Yield what gives the time inside of WHERE, ON and HAVING; as a value that is written it does no harm."""
    for query in tree.walk():
        for name in ("whereClause", "quals", "havingClause"):
            condition = query.get(name)
            for one in condition.walk() if condition is not None else ():
                if one.tag == "SQLValueFunction" and any(word in one.enum("op") for word in ("DATE", "TIME")):
                    yield one.enum("op").removeprefix("SVFOP_").removesuffix("_N")
                elif one.tag == "FuncCall" and _function(one) in _MOMENTS:
                    yield f"{_function(one)}()"


def _read(tree: Tree) -> Iterator[Tree]:
    """Yield the RangeVars that a statement reads, but the one that it writes."""
    target = tree.get("relation")
    named = {one.text("ctename") for one in tree.walk() if one.tag == "CommonTableExpr"}
    for one in tree.walk():
        is_target = target is not None and one.node is target.node
        if one.tag == "RangeVar" and not is_target and (one.text("schemaname") or one.text("relname") not in named):
            yield one


def _of_key(table: str, key: tuple[str, ...], relation: Relation) -> Iterator[str]:
    names = tuple(unqualified(column) for column in key)
    if missing := [quote(one) for one in names if one not in relation.columns]:
        yield f"{table} has no column {', '.join(missing)}: correct the key."
        return
    usable = keys_of(relation)
    if names not in usable:
        told = " or ".join(f"key={','.join(map(quote, one))}" for one in usable)
        remedy = f"Usable here: {told}." if told else "Add a primary key first."
        yield (
            f"{','.join(key)} is neither the primary key of {table} nor a unique B-tree index without a condition on "
            f"columns that are NOT NULL. {remedy}"
        )


def _of_table(statement: Statement, relation: Relation, schema: Schema) -> Iterator[str]:
    batch, tree = statement.batch, statement.tree
    if relation.kind not in {Kind.TABLE, Kind.PARTITIONED}:
        yield f"{relation.name} is a {relation.kind}: name the table behind it."
    if (
        batch is not None
        and not batch.is_only
        and any(relation.name in one.inherits for one in schema.descendants(relation.name))
    ):
        yield f"tables inherit from {relation.name}, and its key is not theirs: write ONLY, and one statement for each."
    written = schema.find(tree.relation())
    if written is not None and written.rules:
        yield f"a rule of {written.name} puts another statement in the place of this one: change what it changes."
    if tree.tag == "DeleteStmt":
        for key in (one for child, one in schema.referencing(relation.name) if child.name == relation.name):
            if key.on_delete in _KEEPS and key.is_enforced:
                yield (
                    f"rows of {relation.name} refer to each other by {quote(key.name)}: a batch fails when a row of a "
                    "later one refers to it. Set those references to NULL first, in a statement before."
                )
    if tree.tag == "UpdateStmt" and (late := _late(relation, tree)):
        yield f"{quote(late.name)} is checked at the end, which here is the end of each batch: change it in one piece."


def _late(relation: Relation, tree: Tree) -> Constraint | None:
    changed = {one.text("name") for one in tree.each("targetList")}
    return next(
        (one for one in relation.constraints.values() if one.kind in _KEYS and one.timing and changed & {*one.columns}),
        None,
    )


def _of_reading(statement: Statement, schema: Schema) -> Iterator[str]:
    """Yield what reads the written table under another name: a view of it, its parent, a partition of it."""
    written = schema.find(statement.tree.relation())
    if written is None:
        return
    related = {written.name, *(one.name for one in schema.descendants(written.name)), *_above(written, schema)}
    for use in _read(statement.tree):
        found = schema.find(use.range_name())
        if found is not None and found.name != written.name and not related.isdisjoint(_behind(found, schema)):
            yield (
                f"it reads {found.name}, behind which is {written.name}, which its own earlier batches have changed by "
                "then: put what it needs into a table of its own first."
            )


def _above(relation: Relation, schema: Schema) -> Iterator[Name]:
    parents = [*relation.inherits, *([relation.partition_of] if relation.partition_of else [])]
    for name in parents:
        yield name
        if (parent := schema.relations.get(name)) is not None:
            yield from _above(parent, schema)


def _behind(relation: Relation, schema: Schema) -> set[Name]:
    """Return a relation and all that it is made of."""
    found, waiting = {relation.name}, [relation]
    while waiting:
        for name in waiting.pop().reads - found:
            found.add(name)
            if (one := schema.relations.get(name)) is not None:
                waiting.append(one)
    return found
