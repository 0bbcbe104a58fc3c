"""What is written of a database that was kept after a restore: which one it is stays, and it ends once."""

from datetime import UTC, datetime

from django.db.models.functions import Now

from deployments.models import KeptDatabase
from tests.deployments.cast import Cast, begin
from tests.deployments.refusals import not_permitted, refused_by

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def kept_of(cast: Cast) -> KeptDatabase:
    job = begin(cast.job())
    kept = KeptDatabase.objects.create(
        job=job, name="shop_before_restore_1", oid=16_400, bytes=1, keep_until=Now(), made_at=LONG_AGO
    )
    kept.refresh_from_db()
    return kept


def rows(kept: KeptDatabase, role: str = "default"):
    return KeptDatabase.objects.using(role).filter(pk=kept.pk)


def test_which_database_it_is_stays_whatever_becomes_of_it(cast: Cast):
    kept = kept_of(cast)
    assert kept.made_at > LONG_AGO

    for change in ({"name": "shop"}, {"oid": 1}, {"baseline": {"rows": {}}}, {"keep_until": LONG_AGO}):
        with refused_by("keptdatabase_frozen", using="owner"):
            rows(kept, "owner").update(**change)
        with not_permitted():
            rows(kept).update(**change)
    with refused_by("keptdatabase_kept", using="owner"):
        rows(kept, "owner").delete()
    with not_permitted():
        rows(kept)._raw_delete("default")


def test_it_ends_once_and_says_how(cast: Cast):
    kept = kept_of(cast)
    with refused_by("keptdatabase_ends_with_a_reason"):
        rows(kept).update(ended_at=Now())
    with refused_by("keptdatabase_ending_known"):
        rows(kept).update(ended_at=Now(), ending="lost")

    rows(kept).update(ended_at=Now(), ending="dropped")

    for role in ("default", "owner"):
        with refused_by("keptdatabase_stays_as_it_ended", using=role):
            rows(kept, role).update(ending="gone")
