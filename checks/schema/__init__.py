"""A schema as a value: what it consists of, one hash of any set of its objects, and what differs between two."""

from checks.schema.control import mutated, unseen
from checks.schema.difference import Change, Difference, Kind, PieceChange, difference
from checks.schema.hashes import Hashes, fingerprint, record_hash, touched
from checks.schema.ignoring import IgnoreRules
from checks.schema.recorded import NOT_RECORDED
from checks.schema.snapshot import Snapshot

__all__ = [
    "NOT_RECORDED",
    "Change",
    "Difference",
    "Hashes",
    "IgnoreRules",
    "Kind",
    "PieceChange",
    "Snapshot",
    "difference",
    "fingerprint",
    "mutated",
    "record_hash",
    "touched",
    "unseen",
]
