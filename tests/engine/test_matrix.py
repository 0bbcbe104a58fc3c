"""Which migration is where, and which run brought it there."""

from deployments.models import Application
from deployments.selectors.matrix import CellState, matrix


def shown(rewards) -> dict[str, list[tuple[str, int | None]]]:
    table = matrix(Application.objects.get(slug="rewards"))
    return {
        row.migration.name: [(cell.state.value, cell.run.number if cell.run else None) for cell in row.cells]
        for row in table.rows
    }


def test_an_application_that_was_never_synced_has_no_rows(rewards):
    table = matrix(Application.objects.get(slug="rewards"))

    assert (table.release, table.rows) == (None, ())
    assert [column.database.name for column in table.columns] == ["staging", "production"]


def test_what_is_applied_names_its_run_and_the_newest_stands_first(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    job = rewards.deploy()
    rewards.write("002_users", "CREATE TABLE users (id int)")
    rewards.sync()

    assert shown(rewards) == {
        "002_users": [("pending", None), ("unknown", None)],
        "001_ledger": [("applied", job.run.number), ("unknown", None)],
    }


def test_what_was_rolled_back_is_pending_again_and_an_edited_one_says_so(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    rewards.write("002_users", "CREATE TABLE users (id int)", "DROP TABLE users")
    rewards.deploy()
    rewards.write("003_points", "CREATE TABLE points (id int)", "DROP TABLE points")
    last = rewards.deploy()
    rewards.execute(rewards.start(rewards.plan_rollback(last.run)))
    rewards.write("001_ledger", "CREATE TABLE ledger (id bigint)", "DROP TABLE ledger")
    rewards.sync()

    assert {name: cells[0] for name, cells in shown(rewards).items()} == {
        "003_points": ("pending", None),
        "002_users": ("applied", 1),
        "001_ledger": ("edited", 1),
    }
    assert CellState.EDITED.value == "edited"


def test_what_the_release_does_not_have_is_named(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.deploy()
    (rewards.source / "001_ledger.up.sql").unlink()
    (rewards.source / "001_ledger.down.sql").unlink()
    rewards.write("002_users", "CREATE TABLE users (id int)")
    rewards.sync()

    columns = matrix(Application.objects.get(slug="rewards")).columns

    assert [column.foreign for column in columns] == [("001_ledger",), ()]
