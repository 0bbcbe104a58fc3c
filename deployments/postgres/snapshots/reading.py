"""Putting the rows of the catalogue together: what belongs to an object becomes its record."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from checks.schema import Snapshot
from checks.schema.grants import normalised
from checks.schema.recorded import ORDER
from deployments.postgres.connect import Session
from deployments.postgres.settings import PLAIN_TEXT
from deployments.postgres.snapshots import programs, relations, surroundings
from deployments.postgres.snapshots.scope import Objects, Pieces

OBJECTS = (*relations.OBJECTS, *programs.OBJECTS, *surroundings.OBJECTS)
PIECES = (*relations.PIECES, *programs.PIECES, *surroundings.PIECES)
# What the server gives on a new object; the owner stands for every owner.
DEFAULTS = """
SELECT kind, acldefault(kind::"char", 10::oid)::text[] FROM unnest('{r,s,c,f,T,n,l,d,F,S}'::text[]) kind
"""
COMMENTS = """
SELECT classoid::regclass::text, objoid, objsubid, 'comment', description FROM pg_description
WHERE objoid >= 16384 OR classoid IN ('pg_namespace'::regclass, 'pg_extension'::regclass, 'pg_language'::regclass)
UNION ALL SELECT classoid::regclass::text, objoid, 0, 'comment', description FROM pg_shdescription
UNION ALL SELECT classoid::regclass::text, objoid, objsubid, 'label of ' || provider, label FROM pg_seclabel
UNION ALL SELECT classoid::regclass::text, objoid, 0, 'label of ' || provider, label FROM pg_shseclabel
UNION ALL SELECT classid::regclass::text, objid, 0, 'depends on extension', extname
FROM pg_depend JOIN pg_extension entry ON entry.oid = refobjid WHERE deptype = 'x'
"""
# Which objects need which. What depends automatically is a piece mostly, and belongs to its object anyhow.
NEEDS = """
SELECT DISTINCT classid::regclass::text, objid, refclassid::regclass::text, refobjid FROM pg_depend
WHERE (deptype = 'n' OR deptype = 'a' AND classid IN
       ('pg_opclass'::regclass, 'pg_cast'::regclass, 'pg_transform'::regclass, 'pg_publication_rel'::regclass))
  AND objid >= 16384 AND refobjid >= 16384 AND refclassid <> 'pg_namespace'::regclass
UNION ALL SELECT 'pg_class', inhrelid, 'pg_class', inhparent FROM pg_inherits
UNION ALL SELECT 'pg_class', seqrelid, 'pg_class', refobjid FROM pg_sequence JOIN pg_depend
  ON classid = 'pg_class'::regclass AND objid = seqrelid AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
"""
# Whose record tells of what has none of its own, and is no piece.
BELONGS = """
SELECT 'pg_attrdef', oid, 'pg_class', adrelid FROM pg_attrdef
UNION ALL SELECT 'pg_rewrite', oid, 'pg_class', ev_class FROM pg_rewrite WHERE oid >= 16384
UNION ALL SELECT 'pg_type', oid, 'pg_type', typelem FROM pg_type WHERE oid >= 16384 AND typelem <> 0
"""
_MAY_BE_SECRET = re.compile(r"pass|secret|key|token|credential", re.IGNORECASE)
_HASH_LENGTH = 16  # hexadecimal digits: enough to see that it changed

LAST = (COMMENTS, surroundings.RIGHTS_ELSEWHERE, BELONGS, NEEDS)
_LARGE = 3  # so many queries for pieces have long answers, and come first: columns, constraints, indexes

Rows = list[tuple[Any, ...]]
Answer = tuple[list[str], Rows]
"""The names of the columns, and the rows."""
Place = tuple[str, int, int]
"""Catalogue, oid and number of the column, as the server's own tables point at things."""


def read_snapshot(opened: Session) -> Snapshot:
    """Return every object of a database with its record. Any role that may connect can read it.

    Called inside a transaction, REPEATABLE READ for one moment; leaves the settings as they were. Waits where views or
    what they read are locked with ACCESS EXCLUSIVE, for as long as the session does.
    """
    # The server's own functions write names, values and commands, under fixed settings: the same in every session.
    with opened.transaction(force_rollback=True):  # undoes them
        opened.execute("SET LOCAL search_path = pg_catalog")
        opened.execute(PLAIN_TEXT)
        return _Reading(opened.info.server_version).snapshot(opened)


class _Reading:
    def __init__(self, version: int) -> None:
        self._version = version
        self._defaults: dict[str, list[str]] = {}
        self._records: dict[str, dict[str, Any]] = {}
        self._keys: dict[tuple[str, int], str] = {}  # whose record tells of it
        self._places: dict[Place, dict[str, Any]] = {}

    def snapshot(self, opened: Session) -> Snapshot:
        pieces = [query for query in PIECES if query.since <= self._version]
        large, small = pieces[:_LARGE], pieces[_LARGE:]
        parts = [
            [DEFAULTS, *(query.query for query in OBJECTS)],
            *([query.query] for query in large),
            [*(query.query for query in small), *(query for _, query in relations.ADDITIONS), *LAST],
        ]
        answers = _answers(opened, parts)
        (_, defaults), *objects = next(answers)
        self._defaults = dict(defaults)
        for query, answer in zip(OBJECTS, objects, strict=True):
            self._objects(query, answer)
        for one in large:
            self._pieces(one, next(answers)[0])
        rest = iter(next(answers))
        for one in small:
            self._pieces(one, next(rest))
        for catalogue, _ in relations.ADDITIONS:
            for (oid,), aspects in _rows(next(rest), 1):
                if (place := self._places.get((catalogue, oid, 0))) is not None:
                    place |= aspects
        (_, comments), elsewhere, (_, belongs), (_, needs) = rest
        for catalogue, oid, column, aspect, text in comments:
            if (place := self._places.get((catalogue, oid, column))) is not None:
                place[aspect] = text
        for (key, owner, kind), rights in _rows(elsewhere, 3):
            self._elsewhere(key, owner, kind, rights)
        return Snapshot(self._records, self._version, self._dependents(belongs, needs))

    def _objects(self, query: Objects, answer: Answer) -> None:
        for (oid, key), record in _rows(answer, 2):
            if query.kind:
                kind, owner = record.pop("acl kind", query.kind), record.pop("acl owner", None) or record["owner"]
                if rights := self._rights(record.pop("acl", None), owner, kind):
                    record["grants"] = rights
            row_type = record.pop("row type", None)
            if (own := record.pop("type acl", None)) is not None:
                record["type grants"] = self._rights(own, record["owner"], "T")
            self._records[key] = record
            for place in ((query.catalogue, oid), ("pg_type", row_type)) if row_type else ((query.catalogue, oid),):
                self._keys[place] = key
                self._places[*place, 0] = record

    def _pieces(self, query: Pieces, answer: Answer) -> None:
        is_column = query.catalogue == "pg_attribute"
        for (oid, of, name), aspects in _rows(answer, 3):
            record = self._places.get((query.of, of, 0))
            if record is None:
                continue
            if acl := aspects.pop("acl", None):
                rights = self._rights(acl, record["owner"], "c")
                aspects["grants"] = [f"{who}: {what}" for who, what in sorted(rights.items())]
            aspects.update(aspects.pop("more", {}))
            record.setdefault(query.part, {})[name] = aspects.pop("settings options", aspects)
            if is_column:
                record.setdefault(ORDER, []).append(name)
                self._places["pg_class", of, oid] = aspects
            else:
                self._places[query.catalogue, oid, 0] = aspects
                self._keys[query.catalogue, oid] = self._keys[query.of, of]

    def _elsewhere(self, key: str, owner: str, kind: str, rights: dict[str, list[str]]) -> None:
        """Record rights on what the server or an extension made, where they are not those that it had at first."""
        now, first = (self._rights(rights.get(acl), owner, kind) for acl in ("acl", "first"))
        changed = {who: now.get(who, "nothing") for who in now.keys() | first.keys() if now.get(who) != first.get(who)}
        if changed:
            self._records[key] = {"grants": changed}

    def _rights(self, acl: list[str] | None, owner: str, kind: str | None) -> dict[str, str]:
        usual = self._defaults.get(kind, []) if kind else []
        return dict(normalised(acl, owner=owner, defaults=usual, relative=bool(kind)))

    def _dependents(self, belongs: Rows, needs: Rows) -> dict[str, tuple[str, ...]]:
        for catalogue, oid, of, owner in belongs:
            if (key := self._keys.get((of, owner))) is not None:
                self._keys.setdefault((catalogue, oid), key)
        found: dict[str, set[str]] = {}
        for catalogue, oid, of, needed in needs:
            one, other = self._keys.get((catalogue, oid)), self._keys.get((of, needed))
            if one is not None and other is not None and one != other:
                found.setdefault(other, set()).add(one)
        return {name: tuple(sorted(others)) for name, others in found.items()}


def _answers(opened: Session, parts: Sequence[Sequence[str]]) -> Iterator[list[Answer]]:
    """Yield the answers to each part of the queries. The server is at work on the next part meanwhile."""
    with ThreadPoolExecutor(1, "schema") as ahead:
        asked = [ahead.submit(_ask, opened, parts[0])]
        for place in range(len(parts)):
            answer = asked.pop().result()
            asked += [ahead.submit(_ask, opened, following) for following in parts[place + 1 : place + 2]]
            yield answer


def _ask(opened: Session, queries: Sequence[str]) -> list[Answer]:
    with opened.pipeline():  # sent at once: the way there and back counts once
        cursors = [opened.execute(query) for query in queries]
        answers = [cursor.fetchall() for cursor in cursors]
    return [
        ([one.name for one in cursor.description or ()], rows) for cursor, rows in zip(cursors, answers, strict=True)
    ]


def _rows(answer: Answer, first: int) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Yield of each row its first values, and by their names the others that tell something."""
    names, rows = answer[0][first:], answer[1]
    options = [name for name in names if name.endswith("options")]
    for row in rows:
        told = {name: one for name, one in zip(names, row[first:], strict=True) if one is not None and one is not False}
        for name in options:
            if name in told:
                told[name] = _options(told[name])
        yield row[:first], told


def _options(values: list[str]) -> dict[str, str]:
    """Return options and settings by name; of what may be a secret there is a hash.

    A setting with a dot in its name is the application's own, and nobody knows what is in it.
    """
    found = {}
    for one in values:
        name, _, value = one.partition("=")
        if "." in name or _MAY_BE_SECRET.search(name):
            value = f"SHA-256 {hashlib.sha256(value.encode()).hexdigest()[:_HASH_LENGTH]}"
        found[name] = value
    return found
