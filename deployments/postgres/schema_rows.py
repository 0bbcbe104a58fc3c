"""From the rows of the catalogue to the values of the model."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from checks.errors import Unparsable
from checks.model import (
    Column,
    Constraint,
    ConstraintKind,
    DataType,
    Function,
    Index,
    Kind,
    Name,
    Relation,
    Schema,
    Size,
    Traffic,
    UserType,
)  # fmt: skip
from checks.model.expressions import columns_in, not_null_in
from checks.model.steps.programs import is_inlined
from checks.model.steps.user_types import judged_again
from checks.statements import parse
from checks.tree import Tree
from deployments.postgres.trigger_rows import triggers_of

Row = dict[str, Any]

_KINDS = {"r": Kind.TABLE, "p": Kind.PARTITIONED, "f": Kind.FOREIGN, "v": Kind.VIEW, "m": Kind.MATERIALIZED,
          "S": Kind.SEQUENCE, "c": Kind.COMPOSITE}  # fmt: skip
_CONSTRAINTS = {"c": ConstraintKind.CHECK, "f": ConstraintKind.FOREIGN_KEY, "u": ConstraintKind.UNIQUE,
                "p": ConstraintKind.PRIMARY_KEY, "x": ConstraintKind.EXCLUSION,
                "n": ConstraintKind.NOT_NULL}  # fmt: skip
_ACTIONS = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT", "r": "RESTRICT"}
_GENERATED = {"s": "stored", "v": "virtual"}
_TYPES = {"e": "enum", "d": "domain", "c": "composite", "r": "range", "b": "base"}
_VOLATILITY = {"i": "immutable", "s": "stable", "v": "volatile"}
_COUNTED = frozenset({Kind.TABLE, Kind.MATERIALIZED})


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The rows of one look, as the queries of `schema_model` give them. Relations are referred to by their oid."""

    relations: list[Row]
    columns: list[Row]
    constraints: list[Row]
    indexes: list[Row]
    reads: list[Row]
    owners: list[Row]
    triggers: list[Row]
    rules: list[Row]
    policies: list[Row]
    traffic: list[Row]
    types: list[Row]
    functions: list[Row]


def schema_of(found: Catalogue) -> Schema:
    """Return the relations, types and functions of a database as the model holds them."""
    names = {row["oid"]: Name(row["schema"], row["name"]) for row in found.relations}
    numbers: dict[int, dict[int, str]] = {}  # relation -> number of a column -> its name
    for row in found.columns:
        numbers.setdefault(row["relation"], {})[row["number"]] = row["name"]
    indexes = {row["oid"]: Name(names[row["relation"]].schema, row["name"]) for row in found.indexes}
    of = {
        part: _by_relation(getattr(found, part))
        for part in ("columns", "constraints", "indexes", "reads", "triggers", "rules", "policies", "traffic")
    }
    owners = {row["sequence"]: row for row in found.owners}
    relations = {}
    for row in found.relations:
        oid = row["oid"]
        held = [_constraint(one, names, numbers, indexes) for one in of["constraints"].get(oid, ())]
        waived = {one.columns[0] for one in held if one.kind is ConstraintKind.NOT_NULL and not one.is_valid}
        columns = [_column(one, waived) for one in of["columns"].get(oid, ())]
        owner = owners.get(oid)
        relation = Relation(
            names[oid],
            _KINDS[row["kind"]],
            columns={one.name: one for one in columns},
            constraints={one.name: one for one in held},
            indexes={one["name"]: _index(one, numbers.get(oid, {}), indexes) for one in of["indexes"].get(oid, ())},
            reads=frozenset(names[one["reads"]] for one in of["reads"].get(oid, ()) if one["reads"] in names),
            uses=_uses(of["reads"].get(oid, ()), names, numbers),
            owner=(names[owner["relation"]], numbers[owner["relation"]][owner["number"]]) if owner else None,
            **triggers_of(of["triggers"].get(oid, ()), numbers.get(oid, {})),
            rules={
                one["name"]: frozenset(names[read] for read in one["reads"] or () if read in names)
                for one in of["rules"].get(oid, ())
            },
            policies={one["name"]: one["conditions"] for one in of["policies"].get(oid, ())},
            is_logged=row["is_logged"],
            access_method=row["access_method"] or "",
            size=_size(row),
            traffic=_traffic(of["traffic"].get(oid, [])),
            **_parents(row, names, of["columns"].get(oid, ())),
        )
        relations[relation.name] = relation
    types = [_type(row) for row in found.types]
    schema = Schema(relations, {one.name: one for one in types}, _functions(found.functions))
    return judged_again(schema)


def _by_relation(rows: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row["relation"], []).append(row)
    return found


def _parents(row: Row, names: dict[int, Name], columns: Iterable[Row]) -> dict[str, Any]:
    parents = tuple(names[one] for one in row["parents"] or () if one in names)
    key = row["partition_key"] or ""
    in_key = frozenset(one["name"] for one in columns if one["in_key"])
    if key:
        in_key |= columns_in(expression_of(key.partition("(")[2].rpartition(")")[0]), [one["name"] for one in columns])
    facts = {"partition_key": key, "partition_columns": in_key}
    if row["bound"]:
        return {**facts, "partition_of": parents[0] if parents else None, "bound": row["bound"]}
    return {**facts, "inherits": parents}


def type_of(written: str, name: str, schema: str, element: str | None, element_schema: str | None) -> DataType:
    """Return a type from how the server writes it, its own name, and that of its elements if it is an array."""
    brackets = re.search(r"\(([^()]*)\)(?!.*\()", written)
    inside = brackets[1] if brackets else ""
    numbers = inside.split(",") if inside else []
    is_numbers = all(re.fullmatch(r"-?\d+", one) for one in numbers)
    fields = "" if is_numbers else inside
    if (element or name) == "interval":
        fields = re.sub(r"\(\d+\)|\[\]", "", written.removeprefix("interval")).strip()
    return DataType(
        element or name,
        schema=element_schema or schema,
        modifiers=tuple(int(one) for one in numbers) if is_numbers else (),
        fields=fields,
        is_array=element is not None,
    )


def _type_in(row: Row) -> DataType:
    return type_of(row["written"], row["type"], row["type_schema"], row["element"], row["element_schema"])


def _column(row: Row, waived: set[str]) -> Column:
    return Column(
        row["name"],
        _type_in(row),
        is_nullable=not row["forbids_null"] or row["name"] in waived,
        default=row["default"],
        is_identity=row["is_identity"],
        generated=_GENERATED.get(row["generated"], ""),
        collation=row["collation"] or "",
        is_local=row["is_local"],
    )


def expression_of(text: str | None) -> Tree | None:
    """Return an expression as the server writes it, parsed; None where there is none or it is too deep."""
    if not text:
        return None
    try:
        (statement,) = parse(f"SELECT {text}").statements
    except (Unparsable, ValueError):
        return None
    targets = statement.tree.each("targetList")
    return statement.tree if len(targets) != 1 else targets[0].get("val")


def _constraint(
    row: Row, names: dict[int, Name], numbers: dict[int, dict[int, str]], indexes: dict[int, Name]
) -> Constraint:
    kind, own = _CONSTRAINTS[row["kind"]], numbers.get(row["relation"], {})
    keys = row["columns"] or ()
    # 0 is the whole row in a CHECK, an expression in a key.
    columns = tuple(own.values()) if 0 in keys and row["kind"] == "c" else tuple(own[one] for one in keys if one in own)
    other = numbers.get(row["references"], {})
    not_null: frozenset[str] = frozenset()
    if kind is ConstraintKind.CHECK:
        not_null = not_null_in(expression_of(row["expression"]), own.values())
    elif kind is ConstraintKind.PRIMARY_KEY or (kind is ConstraintKind.NOT_NULL and row["is_valid"]):
        not_null = frozenset(columns)
    is_key = kind in {ConstraintKind.PRIMARY_KEY, ConstraintKind.UNIQUE, ConstraintKind.EXCLUSION}
    return Constraint(
        row["name"],
        kind,
        columns=columns,
        is_valid=row["is_valid"],
        is_enforced=row["is_enforced"],
        references=names.get(row["references"]),
        referenced_columns=tuple(other[one] for one in row["referenced_columns"] or () if one in other),
        on_delete=_ACTIONS.get(row["on_delete"], ""),
        on_update=_ACTIONS.get(row["on_update"], ""),
        timing=row["timing"],
        expression=row["expression"] or "",
        not_null=not_null,
        index=indexes[row["index"]].name if is_key else "",
        is_inherited=not row["is_local"],
        is_no_inherit=row["is_no_inherit"] and kind in {ConstraintKind.CHECK, ConstraintKind.NOT_NULL},
    )


def _index(row: Row, own: dict[int, str], indexes: dict[int, Name]) -> Index:
    keys, count = row["keys"], row["key_count"]
    return Index(
        row["name"],
        columns=tuple(own.get(one, "") for one in keys[:count]),
        uses=frozenset(own[one] for one in {*keys, *(row["uses"] or ())} if one in own),
        method=row["method"],
        is_unique=row["is_unique"],
        is_valid=row["is_valid"],
        predicate=row["predicate"] or "",
        collations=tuple(row["collations"]),
        operator_classes=tuple(row["operator_classes"]),
        parent=indexes.get(row["parent"]),
        definition=row["definition"],
        expressions=tuple(row["expressions"] or ()),
        includes=tuple(own[one] for one in keys[count:]),
        labels=tuple(row["labels"]),
    )


def _uses(
    rows: Iterable[Row], names: dict[int, Name], numbers: dict[int, dict[int, str]]
) -> dict[Name, frozenset[str]]:
    found: dict[Name, frozenset[str]] = {}
    for row in rows:
        if name := names.get(row["reads"]):
            column = numbers.get(row["reads"], {}).get(row["number"])
            found[name] = found.get(name, frozenset()) | (frozenset({column}) if column else frozenset())
    return found


def _size(row: Row) -> Size | None:
    if _KINDS[row["kind"]] not in _COUNTED or row["bytes"] is None:
        return None
    return Size(row["bytes"], row["index_bytes"] or 0, row["rows"] if row["rows"] >= 0 else None)


def _traffic(rows: list[Row]) -> Traffic | None:
    if not rows or not (seconds := rows[0]["seconds"]) or seconds < 1:
        return None
    return Traffic(reads=rows[0]["reads"] / seconds, writes=rows[0]["writes"] / seconds)


def _type(row: Row) -> UserType:
    kind = _TYPES[row["kind"]]
    constraints = dict(row["constraints"] or {})
    not_null = row["not_null"] or ""
    if kind == "domain" and row["forbids_null"] and not not_null:  # before PostgreSQL 17 it has no name
        not_null = f"{row['name']}_not_null"
        constraints[not_null] = True
    return UserType(
        Name(row["schema"], row["name"]),
        kind,
        labels=tuple(row["labels"] or ()),
        base=_type_in(row) if kind == "domain" else None,
        constraints=constraints,
        not_null=not_null,
    )


def _functions(rows: Iterable[Row]) -> dict[Name, tuple[Function, ...]]:
    found: dict[Name, tuple[Function, ...]] = {}
    for row in rows:
        name = Name(row["schema"], row["name"])
        types = tuple(replace(type_of(*one), modifiers=(), fields="") for one in row["arguments"] or ())
        made = Function(
            name,
            len(types),
            _VOLATILITY[row["volatility"]],
            row["language"],
            is_inlined=_is_inlined(row["definition"]),
            types=types,
        )
        found[name] = (*found.get(name, ()), made)
    return found


def _is_inlined(definition: str | None) -> bool:
    if definition is None:
        return False
    try:
        return is_inlined(parse(definition).statements[0].tree)
    except Unparsable:
        return False
