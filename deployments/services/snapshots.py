"""Keeping a schema that was read: each object once, and each schema once."""

from checks.schema import Snapshot, record_hash
from checks.schema.hashes import canonical, hard
from checks.schema.recorded import ORDER
from checks.schema.snapshot import FORMAT
from deployments.models import SchemaRecord, SchemaSnapshot

_AT_ONCE = 500  # rows of one INSERT
_VERSIONS_PER_MAJOR = 10000


def keep_snapshot(snapshot: Snapshot) -> SchemaSnapshot:
    """Store a schema, or find it, and return its row. Called in the caller's transaction."""
    major = snapshot.server_version // _VERSIONS_PER_MAJOR
    orders = {name: record[ORDER] for name, record in snapshot.records.items() if ORDER in record}
    objects = dict(snapshot.hashes)
    digest = record_hash(canonical([FORMAT, major, objects, orders]))
    if kept := SchemaSnapshot.objects.filter(pk=digest).first():
        return kept
    wanted = {one: name for name, one in objects.items()}
    there = SchemaRecord.objects.filter(pk__in=wanted).values_list("pk", flat=True)
    new = wanted.keys() - set(there)
    # Two workers may read the same schema at the same time: whoever is second finds what it would have written.
    SchemaRecord.objects.bulk_create(
        [SchemaRecord(digest=one, record=hard(snapshot.records[wanted[one]])) for one in sorted(new)],
        batch_size=_AT_ONCE,
        ignore_conflicts=True,
    )
    row = SchemaSnapshot(
        digest=digest,
        fingerprint=snapshot.fingerprint,
        objects_by_name=objects,
        orders=orders,
        format=FORMAT,
        server_version=major * _VERSIONS_PER_MAJOR,
    )
    SchemaSnapshot.objects.bulk_create([row], ignore_conflicts=True)
    return row
