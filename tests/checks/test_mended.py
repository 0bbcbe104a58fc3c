"""Judgements that once said less than what happens: class, place and finding, each for what it leaves out no more."""

import pytest

from checks.alterations.commands import commands_of
from checks.alterations.places import command_offsets
from checks.durations import duration
from checks.locks import Mode, effects_of
from checks.losses import losses
from checks.model import EMPTY, Name
from checks.model.replay import begin, replay_script
from checks.phases.widening import widened
from checks.reviewing.reversal import lost
from checks.risk import Classified, Risk, classify
from checks.statements import parse
from checks.words import counted
from tests.checks.locks.test_effects import effects
from tests.checks.rules.judging import codes, findings, only
from tests.checks.worlds import seen_in, world


def classified(sql, given) -> Classified:
    return classify(seen_in(sql, given))


HUGE = 100 * 10**9
T = "CREATE TABLE t (id int PRIMARY KEY, a varchar(10), b int);"


@pytest.mark.parametrize(
    "sql",
    ["CREATE TABLE n AS SELECT * FROM t", "SELECT * INTO n FROM t", "CREATE MATERIALIZED VIEW n AS SELECT * FROM t"],
)
def test_a_copy_of_a_huge_table_is_never_safe_and_one_without_data_is(sql):
    for given in (world(T, size=HUGE, rows=HUGE // 100), world(T)):
        found = classified(sql, given)
        assert found.risk is Risk.CONTROLLED
        assert "keeps VACUUM from cleaning up" in found.reasons[0]
    assert classified(sql, world(T, size=8192, rows=80)).risk is Risk.SAFE
    if sql.startswith("CREATE"):
        assert classified(f"{sql} WITH NO DATA", world(T, size=HUGE, rows=HUGE // 100)).risk is Risk.SAFE


def test_row_locks_on_every_row_of_a_huge_table_are_high_risk():
    for lock in ("FOR UPDATE", "FOR SHARE", "FOR NO KEY UPDATE"):
        every = classified(f"SELECT * FROM t {lock}", world(T, size=HUGE, rows=HUGE // 100))
        assert every.risk is Risk.HIGH
        assert "locks every row of t" in every.reasons[0]
        assert (
            classified(f"SELECT * FROM t WHERE b = 1 {lock}", world(T, size=HUGE, rows=HUGE // 100)).risk
            is Risk.CONTROLLED
        )
        assert (
            classified(f"SELECT * FROM t LIMIT 1 {lock}", world(T, size=HUGE, rows=HUGE // 100)).risk is Risk.CONTROLLED
        )
        assert classified(f"SELECT * FROM t {lock}", world(T, size=8192, rows=80)).risk is Risk.SAFE
    assert classified("SELECT * FROM t FOR UPDATE", world(T)).risk is Risk.HIGH
    assert classified("SELECT * FROM t", world(T, size=HUGE, rows=HUGE // 100)).risk is Risk.SAFE


@pytest.mark.parametrize(
    ("condition", "is_one_row"),
    [
        ("id = 1", True),
        ("t.id IN (1, 2) AND b > 3", True),
        ("b = 1", False),
        ("id = b", False),
        ("id > 1", False),
        ("id = 1 OR b = 2", False),
        ("id = 1 AND EXISTS (SELECT FROM t FOR UPDATE)", False),
    ],
)
def test_row_locks_on_rows_that_a_key_names_are_safe_on_a_table_of_any_size(condition, is_one_row):
    for given in (world(T, size=HUGE, rows=HUGE // 100), world(T)):
        found = classified(f"SELECT * FROM t WHERE {condition} FOR UPDATE", given)
        assert (found.risk is Risk.SAFE) is is_one_row


def test_rows_that_a_table_gets_from_itself_are_read_too():
    given = world(T, size=HUGE, rows=HUGE // 100)

    for source in ("t", "t AS other JOIN t AS more USING (id)", "(SELECT * FROM t) AS all_rows"):
        (copied,) = seen_in(f"INSERT INTO t (id) SELECT id + 1 FROM {source}", given).seen
        assert duration(copied).slow > 100
    for plain in ("INSERT INTO t VALUES (1)", "WITH t AS (SELECT 1 AS id) INSERT INTO t (id) SELECT 2"):
        (written,) = seen_in(plain, given).seen
        assert duration(written).is_instant


def test_a_type_that_widens_is_not_told_as_a_loss():
    wider = classified("ALTER TABLE t ALTER a TYPE varchar(20)", world(T, size=8192, rows=80))
    narrower = classified("ALTER TABLE t ALTER a TYPE varchar(5)", world(T, size=8192, rows=80))

    assert wider.reasons == ("line 1: changes the type of column a of t to varchar(20): every value stays what it is",)
    assert not any("every value stays" in one for one in narrower.reasons)


@pytest.mark.parametrize(
    ("sql", "is_kept"),
    [
        ("ALTER TABLE t ALTER b TYPE bigint", True),
        ("ALTER TABLE t ALTER b TYPE bigint USING b", True),
        ("ALTER TABLE t ALTER b TYPE bigint USING b::bigint", True),
        ("ALTER TABLE t ALTER b TYPE bigint USING 0", False),
        ("ALTER TABLE t ALTER b TYPE bigint USING id", False),
        ("ALTER TABLE t ALTER a TYPE varchar(20) USING a::varchar(2)::varchar(20)", False),
        ("ALTER TABLE t ALTER a TYPE varchar(20) USING a::varchar(2)", False),
        ("ALTER TABLE t ALTER a TYPE varchar(50); ALTER TABLE t ALTER a TYPE varchar(2)", False),
    ],
)
def test_a_wider_type_is_no_loss_unless_something_else_is_made_of_the_values(sql, is_kept):
    context = seen_in(sql, world(T, size=8192, rows=80))

    kept = [("m", name) for name in widened(context)]

    assert bool(kept) is is_kept
    assert (losses([("m", sql)], kept).tables == ()) is is_kept
    assert (lost(context) == ()) is is_kept


def test_copy_says_which_table_it_reads_or_writes():
    assert "not-analysed" not in codes("COPY t FROM STDIN", T)
    assert "not-analysed" not in codes("COPY t (id) FROM '/rows'", T)
    assert classified("COPY t FROM STDIN", world(T)).reasons == ("line 1: inserts rows into t",)
    assert classified("COPY t TO STDOUT", world(T)).risk is Risk.SAFE
    assert classified("COPY (DELETE FROM t RETURNING *) TO STDOUT", world(T)).risk is not Risk.SAFE
    assert "not-analysed" in codes("COPY t TO '/rows'", T)


def test_a_partition_that_leaves_a_table_that_is_not_known_is_one_table_with_it():
    assert "several-tables-locked" not in codes("ALTER TABLE p DETACH PARTITION p1")
    assert "several-tables-locked" not in codes("ALTER TABLE p DETACH PARTITION p1; ALTER TABLE p DETACH PARTITION p2")
    assert "several-tables-locked" in codes("ALTER TABLE p DETACH PARTITION p1; ALTER TABLE q DETACH PARTITION q1")


def test_only_the_triggers_of_what_a_merge_and_a_truncate_do_are_named():
    given = (
        "CREATE TABLE s (id int, v int); CREATE TABLE t (id int, v int);"
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        + "".join(
            f"CREATE TRIGGER on_{one} AFTER {one} ON t FOR EACH STATEMENT EXECUTE FUNCTION f();"
            for one in ("insert", "update", "delete", "truncate")
        )
    )
    merge = "MERGE INTO t USING s ON t.id = s.id WHEN "
    run = {
        merge + "MATCHED THEN UPDATE SET v = 1": {"on_update"},
        merge + "MATCHED THEN DELETE": {"on_delete"},
        merge + "NOT MATCHED THEN INSERT VALUES (1, 1)": {"on_insert"},
        merge + "MATCHED THEN DO NOTHING": set(),
        "TRUNCATE t": {"on_truncate"},
    }

    for sql, triggers in run.items():
        assert {one.split()[3] for one in effects(sql, given=given).unknown} == triggers, sql


def test_rows_that_a_script_writes_into_its_own_table_are_there():
    made = "CREATE TABLE n (id int); INSERT INTO n VALUES (1), (2);"
    schema = replay_script(begin(EMPTY), parse(made))

    assert schema.relations[Name("public", "n")].has_rows
    assert "has rows" in effects(made + "ALTER TABLE n ADD COLUMN b int NOT NULL").fails
    assert effects(made + "TRUNCATE n; ALTER TABLE n ADD COLUMN b int NOT NULL").fails == ""
    assert effects(made + "DELETE FROM n; ALTER TABLE n ADD COLUMN b int NOT NULL").fails == ""
    assert not begin(schema).relations[Name("public", "n")].size
    # They are few: a foreign key on them keeps nobody waiting.
    key = "CREATE TABLE n (id int); INSERT INTO n VALUES (1); ALTER TABLE n ADD FOREIGN KEY (id) REFERENCES t;"
    assert "foreign-key-scan" not in codes(key, T)


def test_what_goes_with_a_type_is_named_with_its_data():
    given = (
        "CREATE TYPE e AS ENUM ('a'); CREATE TABLE t (x e, l text DEFAULT 'a'::e::text, CHECK (l::e = 'a'));"
        "CREATE DOMAIN d AS e; CREATE TABLE u (z d); CREATE FUNCTION f(e) RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "CREATE VIEW w AS SELECT 'a'::e AS q; CREATE VIEW r AS SELECT f(NULL) AS m;"
        "CREATE TABLE k (l text DEFAULT 'a'::e::text);"
    )
    told = only("drop-cascade", "DROP TYPE e CASCADE", given).message

    for one in ("column x of t with its data", "column z of u with its data", "the default of l of t", "view w",
                "the constraint t_l_check of t", "function f() and what calls it", "domain d"):  # fmt: skip
        assert one in told
    assert "every column of the type with its data" in only("drop-cascade", "DROP TYPE e CASCADE").message
    assert {"t", "u", "w", "r", "k"} == {str(one.relation) for one in effects("DROP TYPE e CASCADE", given=given).locks}


def test_a_command_among_several_is_pointed_at():
    sql = (
        'ALTER TABLE ONLY s."a,b"\n  DROP COLUMN a,\n  ALTER c TYPE numeric(10, 2) USING (c::numeric(10, 2)), -- x, y\n'
        "  ALTER b SET NOT NULL,\n  DISABLE TRIGGER ALL"
    )
    (statement,) = parse("SELECT 1;\n" + sql).statements[1:]
    commands = commands_of(statement, EMPTY, effects_of(statement, EMPTY, 16), 16)

    assert [sql[one : one + 11] for one in command_offsets(sql)] == [
        "DROP COLUMN", "ALTER c TYP", "ALTER b SET", "DISABLE TRI"
    ]  # fmt: skip
    assert [parse("SELECT 1;\n" + sql).position(one.offset)[0] for one in commands] == [3, 4, 5, 6]
    found = {one.code: (one.line, one.column) for one in findings("SELECT 1;\n" + sql)}
    assert found["column-dropped"] == (3, 3)
    assert found["set-not-null-scan"] == (5, 3)
    assert found["triggers-disabled"] == (6, 3)


def test_a_sequence_that_is_set_back_is_found_and_one_that_is_put_right_is_not():
    given = "CREATE TABLE t (id bigserial, g int GENERATED ALWAYS AS IDENTITY);"

    for sql in (
        "ALTER SEQUENCE t_id_seq RESTART",
        "SELECT setval('t_id_seq', 1)",
        "ALTER TABLE t ALTER g RESTART WITH 5",
    ):
        assert "sequence-restarted" in codes(sql, given), sql
        assert "sequence-restarted" in codes(sql), sql
    for sql in ("SELECT setval('t_id_seq', (SELECT max(id) FROM t))", "ALTER SEQUENCE t_id_seq CACHE 5"):
        assert "sequence-restarted" not in codes(sql, given), sql
    assert "sequence-restarted" not in codes("CREATE SEQUENCE q; ALTER SEQUENCE q RESTART WITH 5", given)


def test_autovacuum_that_is_switched_off_is_found_unless_it_is_on_again():
    for sql in (
        "SET (autovacuum_enabled = off)",
        "SET (toast.autovacuum_enabled = false)",
        "SET (autovacuum_enabled = 0)",
    ):
        assert "autovacuum-disabled" in codes(f"ALTER TABLE t {sql}", T), sql
    assert "autovacuum-disabled" in codes("CREATE TABLE n (id int) WITH (autovacuum_enabled = false)", T)
    off = "ALTER TABLE t SET (autovacuum_enabled = off);"
    assert codes(off + "ALTER TABLE t RESET (autovacuum_enabled);", T) == []
    assert codes(off + "ALTER TABLE t SET (autovacuum_enabled = true);", T) == []
    assert "autovacuum-disabled" not in codes("ALTER TABLE t SET (fillfactor = 80)", T)


def test_a_view_in_a_tables_place_without_its_grants_is_found_with_the_grants():
    given = T + 'GRANT SELECT, INSERT ON t TO app, "Web"; GRANT UPDATE ON t TO old; REVOKE UPDATE ON t FROM old;'
    rename = "ALTER TABLE t RENAME TO n; CREATE VIEW t AS SELECT * FROM n;"

    found = only("view-without-grants", rename, given)
    assert found.rewrite == 'GRANT INSERT, SELECT ON t TO app;\nGRANT INSERT, SELECT ON t TO "Web";'
    assert "not known here" in only("view-without-grants", rename, T).message
    assert "view-without-grants" not in codes(rename + found.rewrite, given)
    assert "view-without-grants" in codes(rename + "GRANT SELECT ON t TO app;", given)
    assert "view-without-grants" not in codes("CREATE VIEW v AS SELECT * FROM t;", given)


def test_what_a_comment_declares_must_be_there_where_that_is_known():
    sql = "-- locktender: irreversible {}: counted again\nUPDATE t SET b = 0 WHERE id = 1;"

    for missing in ("t.c", "u", "s.t.b"):
        assert "irreversible-names-nothing" in codes(sql.format(missing), T), missing
        assert "irreversible-names-nothing" not in codes(sql.format(missing)), missing
        assert "irreversible-names-nothing" not in codes(sql.format(missing), T + "DO $$ BEGIN NULL; END $$;"), missing
    for there in ("t", "t.b", "public.t.b"):
        assert "irreversible-names-nothing" not in codes(sql.format(there), T), there


def test_a_rebuilt_index_locks_its_table_less_than_the_index():
    given = "CREATE TABLE t (id int); CREATE INDEX i ON t (id); CREATE INDEX j ON t (id);"
    (one,) = effects("REINDEX INDEX i", given=given).felt
    (both,) = effects("REINDEX TABLE t", given=given).felt

    assert (one.mode, one.of_table) == (Mode.ACCESS_EXCLUSIVE, Mode.SHARE)
    assert one.words == "SHARE; ACCESS EXCLUSIVE on its index i"
    assert both.words == "SHARE; ACCESS EXCLUSIVE on its indexes i and j"
    assert one.blocked == "reads that have to be planned, and writes"


def test_one_of_a_thing_is_told_in_the_singular():
    assert [counted(one, "table") for one in (0, 1, 2)] == ["0 tables", "1 table", "2 tables"]
    assert counted(1, "index", "indexes") == "1 index"
    assert counted(3, "index", "indexes") == "3 indexes"
    assert counted(1.2, "transaction") == "1 transaction"
    assert "t has 1 column, and" in effects("INSERT INTO t VALUES (1, 2)", given="CREATE TABLE t (id int)").fails
