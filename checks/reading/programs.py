"""What a statement does to settings, privileges and functions: what acts later, or for others."""

from __future__ import annotations

from checks.changes import Change, Verb
from checks.reading.settings import verb_of
from checks.tree import Tree

# What a function in one of these can do is what its caller, or with SECURITY DEFINER its owner, may do in the database.
_CONFINED = frozenset({"sql", "plpgsql"})


def setting(tree: Tree) -> tuple[Change, ...]:
    """Return the one change that SET or RESET makes."""
    name = tree.text("name").lower()
    if tree.enum("kind") == "VAR_RESET_ALL":
        return (Change(Verb.SESSION_ROLE, name="every setting"),)
    return (Change(verb_of(name, _value(tree)), name=name),)


def _value(tree: Tree) -> str | None:
    """Return the single plain value of a SET, or None: a default, a list, an interval."""
    arguments = tree.each("args") if tree.enum("kind") == "VAR_SET_VALUE" else ()
    constant = arguments[0].get("val") if len(arguments) == 1 and arguments[0].tag == "A_Const" else None
    return None if constant is None else constant.text("sval") or constant.text("fval") or constant.sql()


def grant(tree: Tree) -> tuple[Change, ...]:
    """Return the one change of GRANT or REVOKE. Named privileges on named objects for named roles are a small one."""
    if tree.tag != "GrantStmt" or not tree.flag("is_grant"):
        return (Change(Verb.ALTER_OBJECT, detail="change of privileges"),)
    broad = {
        "to everybody (PUBLIC)": any(role.enum("roletype") == "ROLESPEC_PUBLIC" for role in tree.each("grantees")),
        "on everything in a schema": tree.enum("targtype") != "ACL_TARGET_OBJECT",
        "that may be handed on (GRANT OPTION)": tree.flag("grant_option"),
    }
    words = [word for word, applies in broad.items() if applies]
    if words:
        return (Change(Verb.GRANT_BROADLY, detail=f"privileges {' and '.join(words)}"),)
    return (Change(Verb.GRANT, detail="change of privileges"),)


def create_function(tree: Tree) -> tuple[Change, ...]:
    """Return what CREATE FUNCTION or PROCEDURE does; one that replaces nothing and is confined adds an object."""
    name, kind = tree.dotted("funcname"), "CREATE PROCEDURE" if tree.flag("is_procedure") else "CREATE FUNCTION"
    found = []
    language = tree.option("language")
    written = language.get("arg") if language else None
    # Without a language only a body in SQL is allowed.
    if written is not None and written.text("sval").lower() not in _CONFINED:
        found.append(Change(Verb.UNTRUSTED_FUNCTION, name=name, detail=written.text("sval")))
    if tree.switched_on("security"):
        fixed = [option.get("arg") for option in tree.each("options") if option.text("defname") == "set"]
        paths = [one.sql() for one in fixed if one is not None and one.text("name").lower() == "search_path"]
        found.append(Change(Verb.DEFINER_FUNCTION, name=name, detail=kind, definition="".join(paths)))
    if tree.flag("replace"):
        found.append(Change(Verb.REPLACE_FUNCTION, name=name, detail=kind))
    return tuple(found) or (Change(Verb.CREATE_OBJECT, name=name, detail=kind),)


def define(tree: Tree) -> tuple[Change, ...]:
    """Return what CREATE AGGREGATE, OPERATOR, TYPE or their kind does."""
    name = tree.dotted("defnames")
    if tree.flag("replace"):
        return (Change(Verb.REPLACE_FUNCTION, name=name, detail="CREATE AGGREGATE"),)
    words = tree.enum("kind").removeprefix("OBJECT_").replace("_", " ")
    return (Change(Verb.CREATE_OBJECT, name=name, detail=f"CREATE {words}"),)
