"""Each release of the demo's customer does what its notes say, and what its way back brings back is known."""

from dataclasses import replace
from functools import cache

import psycopg
import pytest

from checks.context import World
from checks.finding import Report, Severity
from checks.integrity.questions import Form, expectations
from checks.integrity.verdicts import Verdict, judge_after
from checks.layouts import named, read_files
from checks.model import EMPTY, Size
from checks.report import Part, judge
from checks.reviewing.checklist import checklist
from checks.reviewing.notes import missing
from checks.reviewing.values import ItemOutcome, Subject
from demo.releases import RELEASES, TODAY, put, release, take_out
from deployments.postgres.catalog import snapshot
from deployments.postgres.verify import answer

LATER = RELEASES[1:]
# What a release's way back does not bring back. Of every other release it brings back everything.
LOST = {"2.8": "phone numbers", "2.9": "an index"}
CLASSES = {
    "2.3": ["safe", "safe", "controlled", "controlled", "safe"],
    "2.4": ["safe"] * 7 + ["controlled"],
    "2.5": ["controlled"],
    "2.6": ["controlled"] * 2,
    "2.7": ["high-risk"],
    "2.8": ["controlled"],
    "2.9": ["safe", "controlled"],
}
FINDINGS = {
    "20261116090000_business_level": {"column-renamed"},
    "20261207090000_transaction_id_bigint": {"key-type-change"},
    "20261214090000_drop_user_phone": {"column-dropped"},
}
COLUMNS = """
SELECT attrelid::regclass::text, array_agg(attname::text ORDER BY attnum) FROM pg_attribute
JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped GROUP BY 1
"""
FILES = "SELECT oid::regclass::text, relfilenode FROM pg_class WHERE relnamespace = 'public'::regnamespace"
VERSIONS = [one.version for one in RELEASES]

each_later = pytest.mark.parametrize("later", LATER, ids=VERSIONS[1:])


def catalogue(session: psycopg.Connection) -> dict[str, str]:
    with session.transaction():
        return snapshot(session)


def checks(migrations) -> list:
    return [check for folder in migrations for check in expectations((folder / "verify.sql").read_text())]


def ask(session: psycopg.Connection, migrations, *, only: Form | None = None) -> list:
    """Return each check with its answer."""
    with session.transaction(force_rollback=True):
        return [(one, answer(session, one)) for one in checks(migrations) if only in (None, one.form)]


@each_later
def test_what_a_verify_script_expects_is_true_after_the_release_and_unchanged_after_its_rollback(customer, later):
    customer.up_to(later)
    session = customer.as_owner()
    before = ask(session, later.migrations(), only=Form.UNCHANGED)

    customer.run(later)

    first = dict(before)
    verdicts = [
        (one.sql, judge_after(one, told, before=first.get(one))) for one, told in ask(session, later.migrations())
    ]
    assert [(sql, judged.detail) for sql, judged in verdicts if judged.verdict is not Verdict.PASSED] == []
    assert all(told.rows > 0 for told in first.values()), "nothing was compared"
    customer.run(later, back=True)
    assert ask(session, later.migrations(), only=Form.UNCHANGED) == before


@each_later
def test_a_verify_script_notices_that_its_release_did_not_come(customer, later):
    customer.up_to(later)
    session = customer.as_owner()

    told = [(one, judge_after(one, given).verdict) for one, given in ask(session, later.migrations())]

    assert Verdict.FAILED in {verdict for one, verdict in told if one.form is not Form.UNCHANGED}


@each_later
def test_every_migration_is_undone_by_its_rollback_except_for_a_forgotten_index(customer, later):
    customer.up_to(later)
    session = customer.as_owner()
    steps = []
    for folder in later.migrations():
        steps.append((folder, catalogue(session)))
        session.execute((folder / "migration.sql").read_bytes())

    different = {}
    for folder, before in reversed(steps):
        assert catalogue(session) != before or "fill" in folder.name
        session.execute((folder / "rollback.sql").read_bytes())
        after = catalogue(session)
        if after != before:
            different[folder.name] = {name for name in before | after if before.get(name) != after.get(name)}

    table = {"table public.point_ledger"}
    forgotten = dict.fromkeys(["20261221091000_drop_ledger_by_user", "20261221090000_ledger_by_user_and_time"], table)
    assert different == (forgotten if later.version == "2.9" else {})


@each_later
def test_only_one_release_loses_rows_on_the_way_back(customer, later):
    customer.up_to(later)
    session = customer.as_owner()
    columns = dict(session.execute(COLUMNS).fetchall())
    selects = {table: f"SELECT {', '.join(names)} FROM {table} ORDER BY id" for table, names in columns.items()}
    before = {table: session.execute(query).fetchall() for table, query in selects.items()}

    customer.run(later)
    customer.run(later, back=True)

    after = {table: session.execute(query).fetchall() for table, query in selects.items()}
    lost = {table for table in before if before[table] != after[table]}
    assert lost == ({"users"} if later.version == "2.8" else set())
    same_order = dict(session.execute(COLUMNS).fetchall()) == columns
    assert same_order == (later.version != "2.8")
    assert (later.version in LOST) == (bool(lost) or later.version == "2.9")


def test_only_big_identifiers_write_tables_anew(customer):
    session = customer.as_owner()
    rewritten = {}
    for later in LATER:
        before = dict(session.execute(FILES).fetchall())
        customer.run(later)
        after = dict(session.execute(FILES).fetchall())
        rewritten[later.version] = {name for name in before.keys() & after.keys() if before[name] != after[name]}

    tables = {"transactions", "point_ledger"}
    assert rewritten.pop("2.7") >= tables
    assert not any(rewritten.values())


def test_the_index_that_2_9_drops_does_not_come_back(customer):
    later = release("2.9")
    customer.up_to(later)
    session = customer.as_owner()
    indexes = "SELECT indexname FROM pg_indexes WHERE tablename = 'point_ledger'"
    before = {name for (name,) in session.execute(indexes).fetchall()}

    customer.run(later)
    customer.run(later, back=True)

    assert before - {name for (name,) in session.execute(indexes).fetchall()} == {"point_ledger_user_id_idx"}


def test_the_new_amount_is_written_whoever_writes_the_old_one(customer):
    later = release("2.6")
    customer.up_to(later)
    customer.run(later)
    session = customer.as_owner()

    session.execute("INSERT INTO transactions (user_id, business_id, amount) VALUES (1, 1, 12.34)")
    session.execute("UPDATE transactions SET amount = 0.05 WHERE id = 1")

    query = "SELECT amount_minor FROM transactions WHERE id = 1 OR id > 1000 ORDER BY id"
    assert session.execute(query).fetchall() == [(5,), (1234,)]


@cache
def judged() -> dict[str, dict[str, Report]]:
    """Return the reports of every release, each on what those before it left, with tables of a middle size."""
    schema, found = EMPTY, {}
    for one in RELEASES:
        found[one.version] = reports = {}
        for folder in one.migrations():
            sized = {name: replace(table, size=Size(50_000_000)) for name, table in schema.relations.items()}
            world = World(replace(schema, relations=sized))
            reports[folder.name] = judge((folder / "migration.sql").read_text(), world=world)
            schema = reports[folder.name].after
    assert schema.doubts == ()
    return found


@pytest.mark.parametrize("one", RELEASES, ids=VERSIONS)
def test_our_own_checks_say_of_a_release_what_its_notes_know(one):
    folders = one.migrations()
    reports = judged()[one.version]
    found = {
        name: {finding.code for finding in report.findings if finding.severity is not Severity.NOTE}
        for name, report in reports.items()
    }

    assert [str(report.classified.risk) for report in reports.values()] == CLASSES[one.version]
    assert {name: codes for name, codes in found.items() if codes} == {
        name: FINDINGS[name] for name in reports.keys() & FINDINGS.keys()
    }
    for folder in folders:
        scripts = {"rollback.sql": Part.ROLLBACK, "verify.sql": Part.VERIFY}
        for script, part in scripts.items():
            report = judge((folder / script).read_text(), part=part)
            assert report.is_analysed
            assert "blocking" not in {finding.severity for finding in report.findings}
        assert missing((folder / "notes.md").read_text()) == ()


@each_later
def test_the_checklist_finds_without_a_server_what_a_way_back_does_not_bring_back(later):
    migrations = named("prisma").read(
        {f"{one.name}/{path.name}": path.read_bytes() for one in later.migrations() for path in one.iterdir()}
    )
    worlds = {name: report.context.world for name, report in judged()[later.version].items()}

    found = {one.name: checklist(Subject(one, worlds[one.name])) for one in migrations}
    ways_back = [item for items in found.values() for item in items if item.code == "rollback"]

    assert len(ways_back) == len(later.migrations())
    lost = " ".join(fact for one in ways_back if one.outcome is ItemOutcome.NOT_MET for fact in one.evidence)
    told = " ".join(one.words for one in ways_back)
    assert ("point_ledger_user_id_idx of point_ledger is missing" in lost) == (later.version == "2.9")
    assert ("Declared irreversible: users.phone" in told) == (later.version == "2.8")
    assert (lost != "") == (later.version == "2.9")


def test_a_release_is_put_into_a_prisma_project_and_again_changes_nothing(tmp_path):
    names = [put(one, tmp_path) for one in RELEASES]
    layout = named("prisma")
    read = layout.read(read_files(tmp_path, layout))

    assert [one.name for one in read] == [name for part in names for name in part]
    assert all(one.rollback and one.verify and one.notes for one in read)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert put(TODAY, tmp_path) == names[0]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert all(path.parts[: len(tmp_path.parts) + 2] == (*tmp_path.parts, "prisma", "migrations") for path in before)


def test_a_release_that_is_taken_out_again_leaves_the_others_alone(tmp_path):
    put(TODAY, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    later = release("2.7")
    take_out(later, tmp_path)
    put(later, tmp_path)

    take_out(later, tmp_path)

    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert {path.name for path in (tmp_path / "prisma" / "migrations").iterdir() if path.is_dir()} == {
        migration.name for migration in TODAY.migrations()
    }


def test_a_release_is_found_by_its_version():
    assert [release(version) for version in VERSIONS] == list(RELEASES)
    with pytest.raises(KeyError):
        release("3.0")
