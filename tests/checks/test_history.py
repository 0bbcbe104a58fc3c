"""What is found about the files of a history: order, versions, changes, missing ways back."""

from __future__ import annotations

import pytest

from checks.finding import Severity
from checks.layouts.base import Kind, MigrationFiles
from checks.project.history import HISTORY_RULES, history_findings


def migration(
    name: str, *, forward: str = "SELECT 1;", rollback: str | None = "SELECT 2;", **also: object
) -> MigrationFiles:
    version = name.split("_", maxsplit=1)[0]
    paths = {"forward": f"{name}.up.sql"} | ({"rollback": f"{name}.down.sql"} if rollback is not None else {})
    written = None if rollback is None else rollback.encode()
    return MigrationFiles(name, version, forward.encode(), written, paths=paths, **also)


def found(now: list[MigrationFiles], **others: list[MigrationFiles]) -> list[tuple[str, str]]:
    return [(path, finding.code) for path, finding in history_findings(now, **others)]


ONE, TWO, THREE = migration("0001_users"), migration("0002_orders"), migration("0003_items")


def test_a_history_that_only_grows_at_its_end_has_no_finding():
    assert found([ONE, TWO, THREE], base=[ONE, TWO]) == []
    assert found([ONE, TWO, THREE], base=[ONE], tip=[ONE]) == []
    assert found([ONE, TWO]) == []


def test_a_contract_of_a_migration_that_is_not_there_is_found():
    said = "-- locktender: contracts {} after 2.6\nSELECT 1;"
    wrong = migration("0003_items", forward=said.format("0001_user"))
    right = migration("0003_items", forward=said.format("0001_users"))

    assert found([ONE, TWO, wrong], base=[ONE]) == [("0003_items.up.sql", "contract-names-nothing")]
    assert found([ONE, TWO, right], base=[ONE]) == []
    assert found([ONE, TWO, wrong], base=[ONE, TWO, wrong]) == []  # it was there before


def test_a_new_migration_before_one_of_the_base_is_out_of_order():
    (only,) = history_findings([ONE, TWO], base=[TWO])

    assert only[0] == "0001_users.up.sql"
    assert only[1].code == "migration-out-of-order"
    assert "0001_users comes before 0002_orders" in only[1].message


def test_a_new_migration_before_one_that_was_merged_meanwhile_is_out_of_order():
    assert found([ONE, TWO], base=[ONE], tip=[ONE, THREE]) == [("0002_orders.up.sql", "migration-out-of-order")]
    assert found([ONE, THREE], base=[ONE], tip=[ONE, TWO]) == []
    # Versions are numbers: 10 is after 9.
    ten = migration("10_ten")
    assert found([ten], tip=[migration("9_nine")]) == []


def test_a_migration_that_is_not_as_it_was_at_the_base_is_found_also_when_it_is_gone():
    other = migration("0001_users", forward="SELECT 3;")

    assert found([other, TWO], base=[ONE, TWO]) == [("0001_users.up.sql", "migration-changed")]
    assert found([TWO], base=[ONE, TWO]) == [("0001_users.up.sql", "migration-changed")]


def test_a_way_back_may_be_corrected_later_and_what_runs_again_may_change():
    corrected = migration("0001_users", rollback="SELECT 4;")
    view, changed = (migration("R_view", forward=text, kind=Kind.REPEATABLE) for text in ("SELECT 1;", "SELECT 2;"))

    assert found([corrected], base=[ONE]) == []
    assert found([ONE, changed], base=[ONE, view]) == []


def test_of_two_migrations_with_one_version_the_newer_is_told():
    twin, late = migration("0002_twin"), migration("0002_late")

    assert found([ONE, TWO, twin], base=[ONE, TWO]) == [("0002_twin.up.sql", "migration-version-twice")]
    assert found([ONE, TWO, twin]) == [("0002_twin.up.sql", "migration-version-twice")]
    assert found([ONE, TWO], base=[ONE], tip=[ONE, late]) == [("0002_orders.up.sql", "migration-version-twice")]
    assert found([ONE, TWO, twin], base=[ONE, TWO, twin]) == []


@pytest.mark.parametrize(
    ("rollback", "path"),
    [
        (None, "0001_users.up.sql"),
        ("", "0001_users.down.sql"),
        ("-- nothing\n\n-- to do\n", "0001_users.down.sql"),
        ("/* nothing\nDROP TABLE users; */", "0001_users.down.sql"),
    ],
)
def test_a_migration_without_a_way_back_is_found(rollback, path):
    assert found([migration("0001_users", rollback=rollback)]) == [(path, "rollback-missing")]


def test_a_way_back_is_asked_of_new_migrations_that_do_something_and_run_once():
    empty = migration("0001_users", forward="-- begins here", rollback=None)
    old = migration("0001_users", rollback=None)
    view = migration("R_view", rollback=None, kind=Kind.REPEATABLE)
    unreadable = migration("0001_users", rollback="DROP TABL users")

    assert found([empty]) == []
    assert found([old], base=[old]) == []
    assert found([view]) == []
    assert found([unreadable]) == []  # its own report says so


def test_the_texts_of_these_findings_are_written():
    assert len({rule.code for rule in HISTORY_RULES}) == len(HISTORY_RULES)
    for rule in HISTORY_RULES:
        assert all((rule.title, rule.why, rule.blocks, rule.help, rule.source, rule.bad, rule.good))
    blocking = {rule.code for rule in HISTORY_RULES if rule.severity is Severity.BLOCKING}
    assert blocking == {"migration-out-of-order", "migration-changed"}
