"""What the comments of a script say to us, such as `-- locktender: ignore CODE: reason`."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from checks.budget import asked_by_script
from checks.changes import Verb
from checks.errors import Unparsable
from checks.names import quote
from checks.statements import Comment, Script, line_comments, parse


class Kind(StrEnum):
    """What a directive says. One that cannot be read is kept as such, so that a rule can tell."""

    IGNORE = "ignore"
    IRREVERSIBLE = "irreversible"
    DERIVABLE = "derivable"
    CONTRACTS = "contracts"
    BATCH = "batch"
    NO_TRANSACTION = "no-transaction"
    BUDGET = "budget"
    UNREADABLE = "unreadable"


FORMS = (
    "-- locktender: ignore CODE: reason, -- locktender: irreversible TABLE.COLUMN, "
    "-- locktender: derivable TABLE.COLUMN: EXPRESSION, "
    "-- locktender: contracts MIGRATION after VERSION, -- locktender: batch table=TABLE key=COLUMN size=ROWS, "
    "or -- locktender: budget oldest=SECONDSs total=SECONDSs: reason"
)
LARGEST_BATCH = 100_000  # rows; more than that is no short transaction on any server
WHOLE_FILE = -1

_WORDS = "|".join(kind for kind in Kind if kind is not Kind.UNREADABLE)
# The colon makes the difference to prose that names us; without it only our own words count.
_OURS = re.compile(rf"lock-?tender\s*(?::|(?=\s(?:{_WORDS})\b))", re.IGNORECASE)
_DASHES = re.compile(r"-[-/* \t]*")
_SAID = re.compile(r"\s*(?P<word>[^\s:]*)(?P<rest>.*)", re.DOTALL)
_LONGEST_LEAD = 1000
_CODE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_NAME = re.compile(r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)(?:\.(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)){0,2}')
_CONTRACTED = re.compile(r"(?P<migration>[^\s:]+)(?:\s+after\s+(?P<version>[^\s:]+))?", re.IGNORECASE)
_PART = re.compile(r'"(?:[^"]|"")+"|[^".]+')
_SETTING = re.compile(r'(?P<name>[a-z]+)=(?P<value>(?:"(?:[^"]|"")*"|[^\s"])+)', re.IGNORECASE)
_COLUMN = re.compile(r'"(?:[^"]|"")+"|[^\W\d][\w$]*')
_NAMES_AND_REASON = re.compile(r'((?:"[^"]*"|[^":])*)(?::(.*))?', re.DOTALL)
_PIECE = re.compile(r'"[^"]*"|,|[^",]+')


@dataclass(frozen=True, slots=True)
class Directive:
    """One thing that a comment says to us.

    `argument` is the code of a rule, the name of a table or column as checks.names writes it, that of a migration, or
    of `budget` what asked_by_script reads.
    `reason` is what the author wrote, or "", of `contracts` the version, and of `derivable` an SQL expression. `line`
    counts from 1. `statement` is the index of the statement it applies to, or WHOLE_FILE. `problem` says in words what
    is wrong with an unreadable one, or with one of `batch`, and is "" for the others. Of `batch`, `key` are the columns
    of the key as SQL, and `size` is how many rows one batch has at most.
    """

    kind: Kind
    argument: str
    reason: str
    line: int
    statement: int
    problem: str = ""
    key: tuple[str, ...] = ()
    size: int = 0

    @property
    def is_readable(self) -> bool:
        """False when nothing may be concluded from it but that somebody wanted something."""
        return self.kind is not Kind.UNREADABLE

    def covers(self, statement: int) -> bool:
        """True when it applies to the statement of that index."""
        return self.statement in {statement, WHOLE_FILE}


def directives(script: Script) -> tuple[Directive, ...]:
    """Return what the comments of a script say to us, in order; several names or codes in one comment one by one.

    A comment on a line of a statement applies to that statement, and one on a line of its own to the statement after
    it. One at the top, with a blank line before the first statement, applies to the whole file.
    """
    text = script.text
    written = {match.start(): match.end() for match in _OURS.finditer(text) if _is_commented(text, match.start())}
    if not written:
        return ()
    found: list[Directive] = []
    for comment in line_comments(text):
        lead = _DASHES.match(comment.text)
        end = written.pop(comment.offset + lead.end(), None) if lead else None
        said = _SAID.fullmatch(text[end : comment.offset + len(comment.text)].rstrip()) if end else None
        if said is not None:
            found.extend(_read(said["word"].lower(), said["rest"], comment, script))
    found.extend(_out_of_place(text, written))
    return tuple(sorted(found, key=lambda one: one.line))


def _is_commented(text: str, offset: int) -> bool:
    """True when what stands right before looks like the beginning of a comment."""
    before = text[max(0, offset - _LONGEST_LEAD) : offset]
    lead = before[len(before.rstrip("-/* \t")) :]
    return "--" in lead or "*" in lead


def _read(word: str, rest: str, comment: Comment, script: Script) -> Iterator[Directive]:
    statement = _statement_of(comment, script)
    if statement is None:
        yield _unreadable(comment.line, "no statement follows it", WHOLE_FILE)
    elif word == Kind.IGNORE:
        yield from _ignore(rest, comment.line, statement)
    elif word == Kind.IRREVERSIBLE:
        yield from _irreversible(rest, comment.line, statement)
    elif word == Kind.DERIVABLE:
        yield _derivable(rest, comment.line, statement)
    elif word == Kind.CONTRACTS:
        yield _contracts(rest, comment.line, statement)
    elif word == Kind.BUDGET:
        yield _budget(rest, comment.line)
    elif word == Kind.NO_TRANSACTION:
        yield Directive(Kind.NO_TRANSACTION, "", rest.strip(" :\t"), comment.line, WHOLE_FILE)
    elif word == Kind.BATCH:
        yield _batch(rest, comment.line, max(statement, 0))  # it is always about one statement: the next one
    else:
        problem = f'"{word[:40]}" is not known' if word else "it says nothing"
        yield _unreadable(comment.line, problem, statement)


def _ignore(rest: str, line: int, statement: int) -> Iterator[Directive]:
    codes, _, reason = (part.strip() for part in rest.partition(":"))
    for code in (part.strip() for part in codes.split(",")):
        if not _CODE.fullmatch(code):
            problem = f'"{code[:40]}" is not the code of a rule' if code else "the code of the rule is missing"
            yield _unreadable(line, problem, statement)
        elif not _says_something(reason):
            yield _unreadable(line, f"the reason for ignoring {code} is missing", statement)
        else:
            yield Directive(Kind.IGNORE, code, reason, line, statement)


def _irreversible(rest: str, line: int, statement: int) -> Iterator[Directive]:
    parted = _NAMES_AND_REASON.fullmatch(rest)
    if parted is None:
        yield _unreadable(line, "a quote is not closed", statement)
        return
    names, reason = parted[1], (parted[2] or "").strip()
    for name in _listed(names):
        if _NAME.fullmatch(name):
            yield Directive(Kind.IRREVERSIBLE, _as_sql(name), reason, line, statement)
        else:
            problem = f'"{name[:40]}" is not the name of a table or column' if name else "what is lost is not named"
            yield _unreadable(line, problem, statement)


def _derivable(rest: str, line: int, statement: int) -> Directive:
    """Return by which expression over a row its value can be had again: one line, which asks and changes nothing."""
    parted = _NAMES_AND_REASON.fullmatch(rest)
    name, expression = (parted[1].strip(), (parted[2] or "").strip()) if parted else ("", "")
    if not _NAME.fullmatch(name) or len(_PART.findall(name)) == 1:
        return _unreadable(line, f'"{name[:40]}" is not the name of a column with its table', statement)
    try:
        asked = parse(f"SELECT (\n{expression}\n)").statements
    except Unparsable:
        asked = ()
    if len(asked) != 1 or not all(one.verb in {Verb.READ, Verb.UNKNOWN} for one in asked[0].changes):
        return _unreadable(line, "after the name and a colon comes an SQL expression that only reads", statement)
    return Directive(Kind.DERIVABLE, _as_sql(name), expression, line, statement)


def _contracts(rest: str, line: int, statement: int) -> Directive:
    said = _CONTRACTED.fullmatch(rest.strip())
    if said is None:
        return _unreadable(line, "it names no migration, or says more than after which version", statement)
    return Directive(Kind.CONTRACTS, said["migration"], said["version"] or "", line, statement)


def _budget(rest: str, line: int) -> Directive:
    """Return what is said about how long the application may wait: for the whole file, because a file has one guard."""
    said, _, reason = (part.strip() for part in rest.partition(":"))
    asked = asked_by_script(said)
    if isinstance(asked, str):
        return _unreadable(line, asked, WHOLE_FILE)
    if not _says_something(reason):
        return _unreadable(line, "the reason why the application may wait longer is missing", WHOLE_FILE)
    return Directive(Kind.BUDGET, said, reason, line, WHOLE_FILE)


def _batch(rest: str, line: int, statement: int) -> Directive:
    """Return what is said about batches. It is never merely unreadable: the statement would then run in one piece."""
    told = {match["name"].lower(): match["value"] for match in _SETTING.finditer(rest)}
    columns = list(_listed(told.get("key", "")))
    if _SETTING.sub("", rest).strip() or set(told) != {"table", "key", "size"}:
        problem = "it must say table=TABLE key=COLUMN size=ROWS and nothing else"
    elif not _NAME.fullmatch(told["table"]):
        problem = f'"{told["table"][:40]}" is not the name of a table'
    elif not all(_COLUMN.fullmatch(one) for one in columns) or len(set(columns)) != len(columns):
        problem = f'"{told["key"][:40]}" is not a list of columns'
    elif not (told["size"].isascii() and told["size"].isdigit() and 0 < int(told["size"][:9]) <= LARGEST_BATCH):
        problem = f"size must be a number of rows from 1 to {LARGEST_BATCH:,}"
    else:
        key = tuple(map(_as_sql, columns))
        return Directive(Kind.BATCH, _as_sql(told["table"]), "", line, statement, key=key, size=int(told["size"]))
    return Directive(Kind.BATCH, "", "", line, statement, problem)


def _listed(names: str) -> Iterator[str]:
    """Yield the names between the commas; a comma inside quotes divides nothing."""
    name = ""
    for piece in _PIECE.findall(names):
        if piece == ",":
            yield name.strip()
            name = ""
        else:
            name += piece
    yield name.strip()


def _as_sql(name: str) -> str:
    """Return a written name as checks.names writes it: what is not in quotes is folded to lower case."""
    written = _PART.findall(name)
    return ".".join(quote(part[1:-1].replace('""', '"') if part.startswith('"') else part.lower()) for part in written)


def _statement_of(comment: Comment, script: Script) -> int | None:
    """Return the index of the statement a comment applies to, WHOLE_FILE, or None where there is none."""
    text, statements = script.text, script.statements
    after = bisect_right(statements, comment.offset, key=lambda one: one.offset)
    if after:
        before = statements[after - 1]
        between = text[before.offset + len(before.sql) : comment.offset]
        on_its_line = "\n" not in between or ";" in between.rpartition("\n")[2]
        if on_its_line or comment.offset < before.offset + len(before.sql):
            return after - 1
    if after == len(statements):
        return None
    if after == 0 and comment.is_alone:
        *lines, _ = text[comment.offset : statements[0].offset].split("\n")
        return WHOLE_FILE if any(not line.strip() for line in lines) else 0
    return after


def _says_something(reason: str) -> bool:
    return any(character.isalnum() for character in reason)


def _out_of_place(text: str, offsets: Iterable[int]) -> Iterator[Directive]:
    """Yield what looks like a directive inside a block comment or a string, or behind other words of a comment."""
    problem = "only a comment of its own that begins with two dashes, outside of strings, is read"
    line, counted = 1, 0
    for offset in offsets:
        line, counted = line + text.count("\n", counted, offset), offset
        yield _unreadable(line, problem, WHOLE_FILE)


def _unreadable(line: int, problem: str, statement: int) -> Directive:
    told = f"This comment of ours cannot be read: {problem}. It has no effect. Write it as {FORMS}."
    return Directive(Kind.UNREADABLE, "", "", line, statement, told)
