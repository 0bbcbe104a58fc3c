"""SQL text to Statement values: the only module that imports the parser (pglast, the grammar of PostgreSQL 18)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from pglast import Error, parse_sql
from pglast.parser import ParseError, parse_sql_json, scan
from pglast.stream import RawStream
from pglast.visitors import Continue, Visitor

from checks.batch import Batch
from checks.changes import Change, Verb
from checks.concurrent_index import ConcurrentIndex, concurrent_index
from checks.depth import MAX_COMMANDS, MAX_DEPTH, too_deep_at
from checks.errors import Unparsable
from checks.kinds import kind_of, must_run_outside_transaction
from checks.names import parts, sibling
from checks.reading import dropped_names, read
from checks.tree import Tree

_STATEMENTS_WITHIN = 40  # the answer in JSON begins with the version and the list of statements
# What the grammar calls white space. Python's own idea is wider: a no-break space is part of a name to PostgreSQL.
_SPACE = " \t\n\r\f\v"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a script. `sql` is its exact text without the semicolon: what will be sent.

    `index` counts from 0; `line` and `column` from 1, `offset` and `length` in characters from 0. `relations` are the
    tables, views and indexes it names, as written. `new_tables` are those made earlier in the same script, and this
    statement's own: nobody else can be using them yet. `tree` is its parse tree, `batch` what a comment declares of it.
    """

    index: int
    sql: str
    offset: int
    line: int
    column: int
    kind: str
    relations: tuple[str, ...]
    changes: tuple[Change, ...]
    outside_transaction: bool
    transaction_control: bool
    concurrent_index: ConcurrentIndex | None
    tree: Tree = field(compare=False, repr=False)
    new_tables: frozenset[str] = frozenset()
    batch: Batch | None = None

    def is_new(self, table: str) -> bool:
        """True when this very script made the table before."""
        return table in self.new_tables and table != ""


@dataclass(frozen=True, slots=True)
class Script:
    """A whole file: its text and its statements, in order. Comments alone make no statement."""

    text: str
    statements: tuple[Statement, ...]

    def position(self, offset: int) -> tuple[int, int]:
        """Return line and column, both from 1, of a character of the text."""
        return position(self.text, offset)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment to the end of its line: its text with the dashes, and where it begins.

    `offset` is in characters from 0, `line` counts from 1. `is_alone` when nothing stands before it on its line.
    """

    text: str
    offset: int
    line: int
    is_alone: bool


def position(text: str, offset: int) -> tuple[int, int]:
    """Return line and column, both from 1, of the character at `offset`."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def parse(sql: str) -> Script:
    """Return the statements of a script, split as PostgreSQL itself would.

    Raises Unparsable for a syntax error, for what only psql understands, for text that PostgreSQL cannot store
    (NUL, lone surrogates), and for nesting too deep to analyse.
    """
    text = _without_mark(sql)
    _refuse_hostile(text)
    try:
        nodes: Any = parse_sql(text)
    except (ParseError, Error) as error:
        raise _syntax_error(text, error) from None
    except RecursionError:
        raise _unparsable(text, "the statement is nested too deeply to be analysed", 0) from None
    return Script(sql, tuple(_with_new_tables(_statements(text, nodes))))


def can_be_parsed(sql: str) -> bool:
    """True for text with at least one statement that the parser takes."""
    try:
        return holds_statement(sql)
    except Unparsable:
        return False


def holds_statement(sql: str) -> bool:
    """False for text with comments alone. No tree is made of it, so it takes no time. Raises Unparsable."""
    text = _without_mark(sql)
    _refuse_hostile(text)
    try:
        answer: str = parse_sql_json(text)
    except (ParseError, Error) as error:
        raise _syntax_error(text, error) from None
    return '"stmts":[{' in answer[:_STATEMENTS_WITHIN]


def changes_of(sql: str) -> Iterator[Change]:
    """Yield what the statements of a script change, in order. Raises Unparsable."""
    return (change for statement in parse(sql).statements for change in statement.changes)


def line_comments(sql: str) -> Iterator[Comment]:
    """Yield the comments of a script that begin with two dashes, in order. Called for text that `parse` accepts."""
    text = _without_mark(sql)
    line, seen = 1, 0
    for token in scan(text):
        if token.name == "SQL_COMMENT":
            line, seen = line + text.count("\n", seen, token.start), token.start
            before = text[text.rfind("\n", 0, seen) + 1 : seen]
            yield Comment(text[seen : token.end + 1], seen, line, not before.strip(_SPACE))


def tokens(sql: str) -> Iterator[tuple[str, int, int]]:
    """Yield the tokens of a text without its comments: the parser's name of each, where it begins, where it ends.

    In characters; called for text that `parse` accepts.
    """
    for one in scan(_without_mark(sql)):
        if one.name not in {"SQL_COMMENT", "C_COMMENT"}:
            yield one.name, one.start, one.end + 1


def _without_mark(sql: str) -> str:
    """Return the text without a byte order mark, which is not SQL; a space in its place keeps every offset."""
    return " " + sql[1:] if sql.startswith("\ufeff") else sql


def _statements(text: str, nodes: Any) -> Iterator[Statement]:
    line, column, seen = 1, 1, 0
    for index, raw in enumerate(nodes):
        start: int = raw.stmt_location
        end: int = start + raw.stmt_len if raw.stmt_len else len(text)
        body = text[start:end]
        start += len(body) - len(body.lstrip(_SPACE))
        # Counted from the statement before: from the beginning each time would be quadratic.
        newlines = text.count("\n", seen, start)
        column = column + start - seen if newlines == 0 else start - text.rfind("\n", seen, start)
        line, seen = line + newlines, start
        tree = Tree(raw.stmt, _render)
        if len(tree.each("cmds")) > MAX_COMMANDS:
            raise _unparsable(text, f"one ALTER TABLE with more than {MAX_COMMANDS} commands is not analysed", start)
        kind = kind_of(tree)
        yield Statement(
            index=index,
            sql=body.strip(_SPACE),
            offset=start,
            line=line,
            column=column,
            kind=kind,
            relations=_relations(tree),
            changes=read(tree, kind=kind),
            outside_transaction=must_run_outside_transaction(tree),
            transaction_control=tree.tag == "TransactionStmt",
            concurrent_index=concurrent_index(tree),
            tree=tree,
        )


_UNNAMES = frozenset({Verb.DROP_TABLE, Verb.DROP_CASCADE, Verb.RENAME_TABLE, Verb.MOVE})


def _names_after(change: Change) -> frozenset[str]:
    """Return the name a table of ours goes by from now on; none after a DROP."""
    if change.verb is Verb.RENAME_TABLE:
        return frozenset({sibling(change.table, change.detail)})
    if change.verb is Verb.MOVE:
        return frozenset({f"{change.detail}.{parts(change.table)[-1]}"})
    return frozenset()


def _with_new_tables(statements: Iterator[Statement]) -> Iterator[Statement]:
    """Tell every statement which tables this script has made by then."""
    new: frozenset[str] = frozenset()
    for statement in statements:
        for change in statement.changes:
            # IF NOT EXISTS may find a table with rows and users: that one is not new.
            if change.verb in {Verb.CREATE_TABLE, Verb.CREATE_PARTITION} and not change.if_not_exists:
                new |= {change.table}
            elif change.verb is Verb.SETTING and change.name == "search_path":
                # From here on a bare name may mean another table.
                new = frozenset(table for table in new if len(parts(table)) > 1)
        yield replace(statement, new_tables=new)
        # What goes by another name afterwards, or by none, is still this script's own while that happens.
        for change in statement.changes:
            if change.verb in _UNNAMES:
                new = new - {change.table} | (_names_after(change) if change.table in new else frozenset())


def _relations(tree: Tree) -> tuple[str, ...]:
    nodes = list(tree.walk())  # the name of a WITH query is no table, unless a schema is written before it
    queries = {node.text("ctename") for node in nodes if node.tag == "CommonTableExpr"}
    named = [
        node.range_name()
        for node in nodes
        if node.tag == "RangeVar" and (node.text("schemaname") or node.text("relname") not in queries)
    ]
    kinds_of_relation = {"TABLE", "VIEW", "INDEX", "SEQUENCE", "MATVIEW", "FOREIGN_TABLE"}
    if tree.tag == "DropStmt" and tree.enum("removeType").removeprefix("OBJECT_") in kinds_of_relation:
        named.extend(dropped_names(tree))
    return tuple(dict.fromkeys(named))


def _render(node: Any) -> str:
    """Return a node as SQL, or "" where it is too deep or of a kind that the writer does not know.

    It also cannot write some nodes without the statement around them; it fails on their missing parent then.
    """
    stream = RawStream()
    try:
        _tell_parents(node)
        stream.print_node(node)
    except (RecursionError, NotImplementedError, AttributeError):
        return ""
    return str(stream.getvalue())


def _tell_parents(node: Any) -> None:
    """Tell every node below one where it stands, as the writer needs it. Calling the writer makes a class each time."""
    steps = Visitor().iterate((node,))
    with suppress(StopIteration):
        ancestors, one = next(steps)
        while True:
            one.ancestors = ancestors
            ancestors, one = steps.send(Continue)


def _refuse_hostile(text: str) -> None:
    """Refuse what the parser would cut short without a word (NUL), choke on, or die of."""
    if (nul := text.find("\0")) >= 0:
        raise _unparsable(text, "a NUL character, which PostgreSQL text cannot hold", nul)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _unparsable(text, "a lone surrogate, which is not a character", error.start) from None
    # No tree is deeper than its text is long.
    if len(text) > MAX_DEPTH and (offset := _too_deep_at(text)) is not None:
        raise _unparsable(text, f"nested too deeply to be analysed (more than {MAX_DEPTH} levels)", offset)


def _too_deep_at(text: str) -> int | None:
    try:
        tokens = scan(text)
    except (ParseError, Error):
        return None  # The parser reports it, with a position.
    return too_deep_at((token.name, token.start) for token in tokens)


def _syntax_error(text: str, error: Exception) -> Unparsable:
    message = str(error.args[0])
    location = error.args[1] if len(error.args) > 1 else None
    offset = location if isinstance(location, int) else len(text.rstrip(_SPACE))
    if text[offset : offset + 1] in {"\\", ":"}:
        message += "; backslash commands and :variables are understood by psql only"
    elif "memory exhausted" in message:
        message = "nested too deeply to be analysed"
    return _unparsable(text, message, offset)


def _unparsable(text: str, problem: str, offset: int) -> Unparsable:
    line, column = position(text, offset)
    return Unparsable(problem, line=line, column=column, offset=offset)
