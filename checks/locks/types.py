"""Types, domains, functions, schemas and extensions: the relations that are locked with them."""

from __future__ import annotations

from collections.abc import Iterable

from checks.locks.drops import drop_relations
from checks.locks.gathering import Gathering
from checks.locks.peers import family, readers, uses_column
from checks.locks.queries import lock_use, uses_in
from checks.locks.sql import expression, queries, query
from checks.locks.values import Mode, Work
from checks.model import Kind, Name, Relation, UserType
from checks.model.type_users import functions_with, is_made_with, uses_of_type
from checks.names import quote, split
from checks.reading import dropped_names
from checks.tree import Tree

_AE = Mode.ACCESS_EXCLUSIVE


def _find_type(g: Gathering, name: str, *, missing_ok: bool = False) -> UserType | None:
    place, bare = split(name)
    for one in (place,) if place else g.schema.path:
        if (found := g.schema.types.get(Name(one, bare))) is not None:
            return found
    if g.is_sure and not missing_ok and not place:
        g.may_fail(f"fails when there is no type {name}")
    return None


def alter_domain(g: Gathering, tree: Tree) -> None:
    """ALTER DOMAIN: a new condition locks and reads every table that uses it."""
    what, name = tree.text("subtype"), tree.dotted("typeName")
    definition = tree.get("def_")
    is_later = definition is not None and definition.flag("skip_validation")
    if what not in {"O", "C", "V"} or is_later:
        return
    domain = _find_type(g, name)
    if domain is None:
        if not g.is_sure:
            g.miss(f"which tables use {name}")
        return
    for table, column in g.schema.users_of_type(domain.name):
        if table.kind in {Kind.TABLE, Kind.MATERIALIZED}:
            g.lock(table, Mode.SHARE, Work.SCAN, because=f"{quote(column.name)} is of {domain.name}")
    g.may_fail("fails when a value does not hold to it")


def drop_type(g: Gathering, tree: Tree) -> None:
    """DROP TYPE and DROP DOMAIN: with CASCADE the columns of the type go too."""
    cascades = tree.enum("behavior") == "DROP_CASCADE"
    for name in dropped_names(tree):
        composite = g.schema.find(name)
        if composite is not None and composite.kind is Kind.COMPOSITE:
            g.lock(composite, _AE)
        found = _find_type(g, name, missing_ok=tree.flag("missing_ok"))
        if found is not None:
            _drop_users(g, found, cascades=cascades)
        elif not g.is_sure and cascades:
            g.miss(f"which columns are of {name}")


def _drop_users(g: Gathering, kind: UserType, *, cascades: bool) -> None:
    for table, column in g.schema.users_of_type(kind.name):
        if not cascades:
            g.fail_if_sure(f"{quote(column.name)} of {table.name} is of {kind.name}")
        g.lock(table, _AE, because=f"{quote(column.name)} goes with the type")
        for view in g.schema.readers(table.name):
            if uses_column(view, table, column.name):
                for one in (view, *readers(g.schema, view.name)):
                    g.lock(one, _AE, because=f"it reads {quote(column.name)} of {table.name}")
    for relation in g.schema.relations.values():
        _drop_mentions(g, relation, kind, cascades=cascades)
    for function in functions_with(g.schema, kind.name):
        if not cascades:
            g.fail_if_sure(f"{function.name}() takes or returns {kind.name}")
        _drop_callers(g, function.name, because=f"calls {function.name}(), which goes with the type")


def _drop_mentions(g: Gathering, relation: Relation, kind: UserType, *, cascades: bool) -> None:
    """What is written with a cast to a type goes with it: a view as a whole, of a table a part."""
    is_whole = is_made_with(relation, kind.name)
    what = relation.name if is_whole else next(uses_of_type(relation, kind.name), "")
    if not what:
        return
    if not cascades:
        g.fail_if_sure(f"{what}{'' if is_whole else f' of {relation.name}'} is written with {kind.name}")
    for one in (relation, *readers(g.schema, relation.name)) if is_whole else (relation,):
        g.lock(one, _AE, because=f"it goes with {kind.name}" if is_whole else f"{what} goes with {kind.name}")


def _drop_callers(g: Gathering, function: Name, *, because: str) -> None:
    for relation in g.schema.relations.values():
        if _use(relation, function.schema, function.name):
            for one in (relation, *readers(g.schema, relation.name)) if relation.query else (relation,):
                g.lock(one, _AE, because=f"a part of it {because}")


def drop_function(g: Gathering, tree: Tree) -> None:
    """DROP FUNCTION: with CASCADE the triggers, defaults and views that use it go too."""
    cascades = tree.enum("behavior") == "DROP_CASCADE"
    for name in dropped_names(tree):
        place, bare = split(name)
        for relation in g.schema.relations.values():
            reason = _use(relation, place, bare)
            if reason:
                if not cascades:
                    g.fail_if_sure(f"{reason} of {relation.name} uses it")
                for one in family(g.schema, relation) if relation.kind is Kind.PARTITIONED else (relation,):
                    g.lock(one, _AE, because=f"{reason}, which goes, uses it")
        if cascades and not g.is_sure:
            g.miss(f"what uses {name}()")


def _use(relation: Relation, place: str, bare: str) -> str:
    """Return what of a relation calls a function: a trigger, a default, a condition, the relation itself."""
    for trigger, function in relation.triggers.items():
        if function.name == bare and place in {"", function.schema}:
            return f"the trigger {quote(trigger)}"
    for column in relation.columns.values():
        if column.default and _calls(column.default, bare):
            return f"the default of {quote(column.name)}"
    for constraint in relation.constraints.values():
        if constraint.expression and _calls(constraint.expression, bare):
            return f"the constraint {quote(constraint.name)}"
    for index in relation.indexes.values():
        if any(_calls(one, bare) for one in (*index.expressions, index.predicate) if one):
            return f"the index {quote(index.name)}"
    tree = query(relation.query) if relation.query and bare in relation.query else None
    return "the query" if tree is not None and _has_call(tree, bare) else ""


def _calls(text: str, bare: str) -> bool:
    tree = expression(text) if bare in text else None
    return tree is not None and _has_call(tree, bare)


def _has_call(tree: Tree, bare: str) -> bool:
    return any(one.tag == "FuncCall" and one.each("funcname")[-1].text("sval") == bare for one in tree.walk())


def drop_schema(g: Gathering, tree: Tree) -> None:
    """DROP SCHEMA: with CASCADE everything in it."""
    cascades = tree.enum("behavior") == "DROP_CASCADE"
    for quoted in dropped_names(tree):
        place = split(quoted)[1]
        if not g.is_sure:
            g.miss(f"what the schema {quoted} holds")
        elif place not in g.schema.schemas and not tree.flag("missing_ok"):
            g.fail(f"there is no schema {quoted}")
        inside = [one for one in g.schema.relations.values() if one.name.schema == place]
        if inside and not cascades:
            g.fail_if_sure(f"the schema {quoted} is not empty")
        drop_relations(g, inside, cascades=True, because=f"it is in the schema {quoted}")
        for kind in _in_schema(g.schema.types.values(), place):
            _drop_users(g, kind, cascades=cascades)
        for name in g.schema.functions:
            for relation in g.schema.relations.values() if name.schema == place else ():
                if relation.name.schema != place and (reason := _use(relation, place, name.name)):
                    g.lock(relation, _AE, because=f"{reason}, which goes, uses {name}()")


def _in_schema(types: Iterable[UserType], place: str) -> Iterable[UserType]:
    return (one for one in types if one.name.schema == place)


def drop_extension(g: Gathering, tree: Tree) -> None:
    """DROP EXTENSION: columns of its types go with it."""
    if tree.enum("behavior") == "DROP_CASCADE":
        g.doubt(f"what uses the extension {', '.join(dropped_names(tree))}")


def create_function(g: Gathering, tree: Tree) -> None:
    """CREATE FUNCTION in SQL: the server analyses its body, and so opens what the body names."""
    language, body = tree.option("language"), tree.option("as")
    argument = language.get("arg") if language else None
    if body is None or argument is None or argument.text("sval").lower() != "sql":
        bodies = [one for name in ("sql_body",) if (one := tree.get(name)) is not None]
    else:
        texts = [one.text("sval") for one in body.get("arg").items()] if body.get("arg") else []  # type: ignore[union-attr]
        bodies = [found for text in texts[:1] for found in queries(text)]
    for one in bodies:
        for use in uses_in(one):
            relation = g.find(use.range_var.range_name(), what="table or view")
            if relation is not None:
                lock_use(g, relation, use.mode, because="the function names it", goes_down=False)
