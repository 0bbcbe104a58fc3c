"""What a rollback script would drop: counted, and told apart from what the migration itself wrote."""

import pytest
from psycopg.types.json import Jsonb

from checks.dropped import Drop
from checks.rehearsal.misfits import Misfit
from deployments.postgres.connect import Holder
from deployments.postgres.price.estimate import Sure
from deployments.postgres.price.script import Going, ScriptPrice, script_price
from deployments.postgres.verify import reading
from tests.postgres.places import Place

APPLIED = """
INSERT INTO locktender.history (run, job, fence, migration, direction, checksum, script_sha256, statements)
VALUES (1, 1, 1, '001', 'forward', '', '', 1)
"""


@pytest.fixture
def ledger(place: Place) -> Place:
    """A ledger of five rows, and a migration that gives it a currency and a filled note, and makes a new table."""
    place.do("CREATE TABLE ledger (id int, points int)", "INSERT INTO ledger SELECT n, n FROM generate_series(1, 5) n")
    with place.connect() as opened:
        opened.execute("BEGIN")
        opened.execute("ALTER TABLE ledger ADD currency text DEFAULT 'EUR', ADD note text")
        opened.execute("UPDATE ledger SET note = 'old' WHERE id <= 2")
        opened.execute("CREATE TABLE audit (id int); INSERT INTO audit VALUES (1)")
        opened.execute(APPLIED)
        opened.execute("COMMIT")
    return place


def price(place: Place, *drops: Drop, misfits: tuple = (), one: bool = True, seconds: float = 20) -> ScriptPrice:
    with reading(place.target, Holder(1, 1, 0)) as opened:
        return script_price(opened, drops, misfits, migrations=["001"], is_one_transaction=one, seconds=seconds)


def going(place: Place, drop: Drop, **options: object) -> Going:
    (found,) = price(place, drop, **options).going
    return found


def test_what_the_migration_wrote_itself_and_defaults_of_untouched_rows_are_no_loss(ledger: Place):
    currency, note = price(ledger, Drop("ledger", "currency"), Drop("public.ledger", "note")).going

    assert (currency.sure, currency.count, currency.since, currency.lost) == (Sure.EXACT, 5, 0, 0)
    assert (note.count, note.since, note.lost) == (2, 0, 0)
    assert (going(ledger, Drop("audit")).count, going(ledger, Drop("audit")).since) == (1, 0)


def test_what_others_wrote_since_is_lost(ledger: Place):
    ledger.do("UPDATE ledger SET currency = 'USD' WHERE id IN (1, 3)", "INSERT INTO audit VALUES (2)")
    ledger.do("INSERT INTO ledger VALUES (6, 6, 'EUR', 'new')")

    currency = going(ledger, Drop("ledger", "currency"))
    assert (currency.count, currency.since, currency.lost) == (6, 2, 2)  # a default is the default, whoever wrote it
    note = going(ledger, Drop("ledger", "note"))
    assert (note.count, note.lost) == (3, 2)  # at most: row 1 was only carried on by an update of another column
    assert (going(ledger, Drop("audit")).what, going(ledger, Drop("audit")).lost) == ("rows", 1)


def test_what_can_be_derived_again_is_not_lost(ledger: Place):
    ledger.do(
        "UPDATE ledger SET note = 'n' || points WHERE id IN (3, 4)", "UPDATE ledger SET note = 'by hand' WHERE id = 5"
    )

    found = going(ledger, Drop("ledger", "note", derivable="'n' || points -- as in 003"))

    assert (found.count, found.since, found.underivable, found.lost) == (5, 3, 3, 1)
    wrong = going(ledger, Drop("ledger", "note", derivable="no_such_column"))
    assert (wrong.count, wrong.lost, wrong.underivable) == (5, 3, None)
    assert "SQLSTATE 42703" in wrong.why
    writing = going(ledger, Drop("ledger", "note", derivable="nextval('of_nothing')::text"))
    assert writing.underivable is None


def test_where_migrations_wrote_in_several_transactions_it_is_at_most(ledger: Place):
    found = going(ledger, Drop("ledger", "note"), one=False)

    assert (found.sure, found.count, found.since) == (Sure.AT_MOST, 2, 0)
    assert "not told apart" in found.why
    ledger.do("DELETE FROM locktender.history")
    assert going(ledger, Drop("ledger", "note")).since == 2  # nobody's, so anybody's


def test_what_is_not_there_or_cannot_be_counted_is_said(ledger: Place):
    assert (going(ledger, Drop("gone")).count, going(ledger, Drop("gone")).why) == (0, "It is not there now.")
    assert going(ledger, Drop("ledger", "gone")).lost == 0
    ledger.do("CREATE VIEW seen AS SELECT 1 AS one", "ANALYZE ledger")
    assert (going(ledger, Drop("seen")).sure, going(ledger, Drop("seen")).lost) == (Sure.UNKNOWN, None)

    late = going(ledger, Drop("ledger"), seconds=0)
    assert (late.sure, late.count) == (Sure.UNKNOWN, None)
    with ledger.connect() as other:
        other.execute("BEGIN; LOCK TABLE ledger")
        locked = going(ledger, Drop("ledger"))
        other.execute("ROLLBACK")
    assert (locked.sure, locked.count, locked.lost) == (Sure.AT_MOST, 5, None)
    assert "locked" in locked.why


def test_rows_that_do_not_fit_are_counted_and_respects_in_which_all_fit_are_only_numbered(ledger: Place):
    ledger.do("INSERT INTO ledger VALUES (NULL, 1), (5, 70000), (5, NULL), (5, 5)")
    table = ("public", "ledger")

    found = price(
        ledger,
        misfits=(
            Misfit(table, "id is NULL", "id IS NULL"),
            Misfit(table, "points do not fit", "points NOT BETWEEN -32768 AND 32767"),
            Misfit(table, "twice", "id IS NOT NULL", double=("id",)),
            Misfit(table, "nothing", "points < 0"),
            Misfit(table, "no such", "gone IS NULL"),
            Misfit(table, "later", "true", since=990000),
            Misfit(table, "alone", "NOT EXISTS (SELECT FROM audit o WHERE o.id = locktender_row.points)"),
        ),
    )

    assert [one.count for one in found.unfit] == [1, 1, 3, 0, None, None, 7]
    told = found.as_evidence()
    assert (told["fitting"], len(told["unfit"])) == (1, 6)
    Jsonb(told)
