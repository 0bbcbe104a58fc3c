"""What belongs to the schema of an application, and the shape of a catalogue query."""

from dataclasses import dataclass

# Not recorded: locktender's own schema, those with tables of a backup beside those of now, system objects, what is
# temporary.
OWN = "namespace.nspname !~ '^(pg_|information_schema$|locktender$|lkt_run_[0-9]+_[0-9]+$)'"
FIRST_OF_USERS = 16384  # object numbers below are the server's own
NAME = """CASE WHEN {0} ~ '[.(]' THEN '"' || replace({0}, '"', '""') || '"' ELSE {0} END"""  # as `shown`


def no_member(catalogue: str, oid: str) -> str:
    """Return the condition that an object is no member of an extension, and no part of a type as a constructor is."""
    kinds = "('e', 'i')" if catalogue in {"pg_proc", "pg_cast"} else "('e')"
    return (
        f"NOT EXISTS (SELECT FROM pg_depend WHERE classid = '{catalogue}'::regclass AND objid = {oid} "
        f"AND deptype IN {kinds})"
    )


def name(column: str) -> str:
    """Return the expression of a name as it stands in a key."""
    return NAME.format(column)


@dataclass(frozen=True, slots=True)
class Objects:
    """A query with a row for each object: oid, key, and the parts of its record by their names.

    A part that is NULL or false is left out. `owner` and `acl` become owner and grants, those usual for `kind`, a
    letter as `acldefault` takes it; what ends with "options" is a list of name=value.
    """

    catalogue: str
    query: str
    kind: str = ""
    since: int = 0  # server_version_num


@dataclass(frozen=True, slots=True)
class Pieces:
    """A query with a row for each piece of an object: oid, of (the oid of its object), name, and its aspects."""

    part: str
    catalogue: str
    of: str
    query: str
    since: int = 0
