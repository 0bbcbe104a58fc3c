"""Flyway: names, versions, repeatable migrations, baselines, callbacks, settings beside a file, checksums."""

from __future__ import annotations

import pytest

from checks.layouts import Kind
from checks.layouts.flyway import Flyway
from tests.checks.layouts.samples import fitting, not_analysed, refusal, statements

LAYOUT = Flyway()


def names(*files: str) -> list[str]:
    return [one.name for one in LAYOUT.read(dict.fromkeys(files, b""))]


def test_versions_are_compared_number_by_number():
    order = [
        "V0__a",
        "V1__b",
        "V1_0_1__c",
        "V1.2__d",
        "V1_10__e",
        "V2__f",
        "V20260101120000__g",
        "V20260101120000.1__h",
    ]

    assert names(*(f"{name}.sql" for name in reversed(order))) == order


def test_a_version_is_written_as_in_flyways_history():
    versions = [one.version for one in LAYOUT.read({"V001_02__a.sql": b"", "R__b.sql": b""})]

    assert versions == ["001.02", ""]


def test_repeatable_ones_follow_by_their_description_callbacks_stand_around_everything():
    files = ["R__b.sql", "R__A_c.sql", "V2__x.sql", "afterMigrate.sql", "beforeMigrate__roles.sql", "sub/V1__y.sql"]

    found = LAYOUT.read(dict.fromkeys(files, b""))

    assert [(one.name, one.kind) for one in found] == [
        ("beforeMigrate__roles", Kind.CALLBACK),
        ("V1__y", Kind.ONCE),
        ("V2__x", Kind.ONCE),
        ("R__A_c", Kind.REPEATABLE),
        ("R__b", Kind.REPEATABLE),
        ("afterMigrate", Kind.CALLBACK),
    ]
    assert [one.is_repeatable for one in found] == [True, False, False, True, True, True]


def test_undo_is_the_way_back_of_the_same_version_however_it_is_written():
    (migration,) = LAYOUT.read({"V1_0__a.sql": b"A", "undo/U1__other.sql": b"B", "undo/U1__other.sql.conf": b""})

    assert (migration.forward, migration.rollback) == (b"A", b"B")
    assert migration.paths == {"forward": "V1_0__a.sql", "rollback": "undo/U1__other.sql"}


def test_a_baseline_counts_only_where_what_it_stands_for_is_gone():
    assert names("B2__base.sql", "B1__old.sql", "V3__x.sql") == ["B2__base", "V3__x"]
    assert names("B2__base.sql", "V1__a.sql", "V2__b.sql", "V3__x.sql") == ["V1__a", "V2__b", "V3__x"]
    assert LAYOUT.read({"B2__base.sql": b""})[0].kind is Kind.BASELINE


def test_a_file_beside_the_script_says_whether_it_runs_in_a_transaction():
    settings = b"# why\r\nexecuteInTransaction = FALSE\r\n"
    files = {"a/V1__x.sql": b"", "a/V1__x.sql.conf": settings, "V1__x.sql.conf": b"", "U1__x.sql": b""}

    (migration,) = LAYOUT.read(files)

    assert (migration.is_transactional, migration.is_rollback_transactional) == (False, True)
    error = refusal(LAYOUT, {"V1__x.sql": b"", "V1__x.sql.conf": b"\nexecuteInTransaction=no"})
    assert (error.code, error.line) == ("directive-unreadable", 2)


def test_a_placeholder_makes_the_script_unknown_unless_it_is_switched_off():
    files = {"V1__x.sql": b"SELECT 1;\nSELECT '${region}';"}
    (migration,) = LAYOUT.read(files)
    (plain,) = LAYOUT.read(files | {"V1__x.sql.conf": b"placeholderReplacement=false"})

    assert not_analysed(LAYOUT, migration)[0] == 2
    assert [line for line, _ in statements(LAYOUT, plain)] == [1, 2]


def test_the_data_of_copy_is_not_sql_and_a_command_of_psql_is_an_error():
    (migration,) = LAYOUT.read({"V1__x.sql": b"COPY t FROM stdin;\nO'Brien; DROP TABLE t;\n\\.\nSELECT 1;\n"})
    (psql,) = LAYOUT.read({"V1__x.sql": b"\\echo hi\nSELECT 1;\n"})

    assert statements(LAYOUT, migration) == [(1, "COPY t FROM stdin"), (4, "SELECT 1")]
    assert not_analysed(LAYOUT, psql)[0] == 1


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (["V1__a.sql", "V1.0__b.sql"], "duplicate-version"),
        (["V1__a.sql", "sub/V01__a.sql"], "duplicate-version"),
        (["R__a_b.sql", "sub/R__a_b.sql"], "duplicate-version"),
        (["V1__a.sql", "U2__b.sql"], "forward-missing"),
        (["V1__a.sql", "V2_b.sql"], "unrecognised-file"),  # one underscore: Flyway passes it over
        (["V1__a.sql", "V__b.sql"], "unrecognised-file"),
        (["V1__a.sql", "v2__b.sql"], "unrecognised-file"),
        (["V1__a.sql", "R1__b.sql"], "unrecognised-file"),
        (["V1__a.sql", "afterSomething.sql"], "unrecognised-file"),
        (["beforeMigrate.sql"], "no-migrations"),
        (["V1__a.java"], "no-migrations"),
    ],
)
def test_files_that_make_no_sense_are_refused(files, code):
    assert refusal(LAYOUT, dict.fromkeys(files, b"")).code == code


def test_a_suffix_may_be_written_in_capitals_and_a_title_may_hold_anything():
    assert names("V1__x.SQL", "V2__.sql", 'V3__it\'s \u00e9 "x".sql') == ["V1__x", "V2__", 'V3__it\'s \u00e9 "x"']


def test_the_checksum_is_flyways_whatever_ends_a_line():
    checksums = {LAYOUT.checksum(text) for text in (b"a\nb\n", b"a\r\nb", b"\xef\xbb\xbfa\rb", b"ab")}

    assert len(checksums) == 1
    assert LAYOUT.checksum(b"123456789") == str(0xCBF43926 - (1 << 32))  # the check value of CRC-32, signed
    assert LAYOUT.checksum(b"") == "0"


def test_it_is_told_from_others_by_its_names():
    assert fitting({"V1__a.sql": b""}) == ["flyway"]
    assert fitting({"db/R__a.sql": b""}) == ["flyway"]
    assert fitting({"V1_a.sql": b""}) == []
