"""The steps that ask a target around a migration, and smoke: what stops, what is only said, and what is kept."""

from datetime import timedelta

import pytest

from deployments.pipelines.steps.checks import AFTER, BEFORE, CheckIntegrity, IntegrityFailed
from deployments.pipelines.steps.smoke import Smoke, SmokeFailed
from deployments.postgres.stopped import CancelledOnRequest
from tests.engine.stages import Stage, stored

ADD = "ALTER TABLE ledger ADD note text"
BALANCES = "-- expect: unchanged\nSELECT id, points FROM ledger WHERE id <= 2;"


@pytest.fixture
def stage(rewards):
    """Make a context over a ledger of three rows, for scripts given as (text, verify script)."""

    def make(*scripts: tuple[str, str | None], kind: str = "deploy", smoke: str | None = None) -> Stage:
        migrations = [
            {"name": f"{place:03}", "forward": stored(text), "rollback": stored(text), "verify": stored(verify)}
            for place, (text, verify) in enumerate(scripts, start=1)
        ]
        return Stage(rewards, {"kind": kind, "migrations": migrations, "touches": ["ledger"], "smoke": stored(smoke)})

    with rewards.connect() as opened:
        opened.execute("CREATE TABLE ledger (id int PRIMARY KEY, points int)")
        opened.execute("INSERT INTO ledger VALUES (1, 10), (2, 20), (3, 30)")
    return make


def verdicts(evidence) -> list[tuple[str, int, str]]:
    return [(one["migration"], one["number"], one["verdict"]) for one in evidence["checks"]]


def test_every_check_is_judged_and_what_was_counted_is_said(stage):
    verify = f"-- No debts\n-- expect: no rows\nSELECT * FROM ledger WHERE points < 0;\n{BALANCES}"
    ctx = stage((ADD, verify), (ADD, None))

    before, after = ctx.before(), ctx.after()

    assert before.summary == "1 check to be compared afterwards. 1 table counted."
    assert verdicts(before.evidence) == [("001", 2, "noted")]
    assert after.summary == "2 checks passed. 1 table counted."
    first = after.evidence["checks"][0]
    assert {key: first[key] for key in ("title", "expectation", "verdict", "detail", "line")} == {
        "title": "No debts",
        "expectation": "no rows",
        "verdict": "passed",
        "detail": "No rows.",
        "line": 3,
    }
    assert [(one["table"], one["count"], one["detail"]) for one in after.evidence["rows"]] == [
        ("public.ledger", 3, "As many as before.")
    ]
    assert (before.is_skipped, after.is_skipped, ctx.lines) == (False, False, [])


def test_a_changed_balance_fails_and_all_verdicts_are_kept(stage):
    ctx = stage((ADD, f"-- expect: 3\nSELECT count(*) FROM ledger;\n{BALANCES}"))
    ctx.before()
    ctx.do("UPDATE ledger SET points = 11 WHERE id = 1")

    with pytest.raises(IntegrityFailed) as refused:
        ctx.after()

    assert verdicts(refused.value.evidence) == [("001", 1, "passed"), ("001", 2, "failed")]
    assert str(refused.value) == (
        "1 check failed on rewards/staging/staging: 001, check 2 (SELECT id, points FROM ledger WHERE id <= 2): "
        "2 rows before and after, but not with the same content. The migrations are committed and stay. "
        "Look at what was found; the way back is a rollback of this run."
    )
    assert len(ctx.lines) == 1


def test_rows_that_are_not_asked_for_do_not_disturb_and_are_called_traffic(stage):
    ctx = stage((ADD, BALANCES))
    ctx.before()
    ctx.do("INSERT INTO ledger VALUES (4, 40)", "UPDATE ledger SET points = 0 WHERE id = 3")

    after = ctx.after()

    assert verdicts(after.evidence) == [("001", 1, "passed")]
    assert after.evidence["rows"][0]["detail"] == "3 before: moved by traffic."


def test_rows_that_the_plan_changes_are_not_called_traffic(stage):
    ctx = stage(("DELETE FROM ledger WHERE id = 3", None))
    ctx.before()
    ctx.do("DELETE FROM ledger WHERE id = 3")

    assert ctx.after().evidence["rows"][0]["detail"] == "3 before: changed by this plan or by traffic."


def test_a_misspelt_query_stops_a_single_migration_before_anything_is_changed(stage):
    ctx = stage((ADD, "-- expect: unchanged\nSELECT pionts FROM ledger"))

    with pytest.raises(IntegrityFailed, match="Nothing was changed there") as refused:
        ctx.before()

    assert 'column "pionts" does not exist (SQLSTATE 42703)' in str(refused.value)


def test_what_an_earlier_migration_may_make_is_not_measured_before_and_not_compared_after(stage):
    ctx = stage(("CREATE TABLE coupons (id int)", None), (ADD, "-- expect: unchanged\nSELECT id FROM coupons"))

    before = ctx.before()
    ctx.do("CREATE TABLE coupons (id int)")
    after = ctx.after()

    assert before.summary == "1 check not measured. 1 table counted."
    assert before.evidence["checks"][0]["detail"].endswith("if not, it names something wrongly.")
    assert after.summary == "1 check not measured. 1 table counted."
    assert after.evidence["checks"][0]["detail"] == "0 rows; there is no answer from before to compare with."
    assert len(ctx.lines) == 2


def test_a_misspelt_query_that_an_earlier_migration_hid_fails_afterwards(stage):
    ctx = stage(("CREATE TABLE coupons (id int)", None), (ADD, "-- expect: unchanged\nSELECT id FROM cuopons"))
    ctx.before()
    ctx.do("CREATE TABLE coupons (id int)")

    with pytest.raises(IntegrityFailed, match='relation "cuopons" does not exist'):
        ctx.after()


def test_a_misspelt_query_is_not_excused_by_a_migration_that_makes_and_removes_nothing(stage):
    index = "CREATE INDEX ledger_points ON ledger (points)"
    ctx = stage((index, None), (ADD, "-- expect: unchanged\nTABLE legder;\n-- expect: 0\nTABLE legder;"), (index, None))

    with pytest.raises(IntegrityFailed):
        ctx.before()
    with pytest.raises(IntegrityFailed) as refused:
        ctx.after()

    assert verdicts(refused.value.evidence) == [("002", 1, "failed"), ("002", 2, "failed")]


def test_what_a_later_migration_may_have_removed_is_not_measured(stage):
    ctx = stage((ADD, "-- expect: 0\nSELECT count(*) FROM coupons"), ("DROP TABLE coupons", None))

    after = ctx.after()

    assert after.summary == "1 check not measured. 1 table counted."
    assert "A later script of this plan may have removed that" in after.evidence["checks"][0]["detail"]


def test_a_slow_query_fails_within_its_limit(stage):
    ctx = stage((ADD, "-- expect: 3\nSELECT count(*) FROM ledger, pg_sleep(60)"))

    with pytest.raises(IntegrityFailed, match=r"It was cut off: it may take 0.5 s"):
        ctx.after(check_limit=timedelta(milliseconds=500))


def test_a_verify_script_cannot_write(stage):
    ctx = stage((ADD, "-- expect: 3\nSELECT spend()"))
    ctx.do("CREATE FUNCTION spend() RETURNS bigint LANGUAGE sql AS 'DELETE FROM ledger; SELECT 3::bigint'")

    with pytest.raises(IntegrityFailed, match="It does more than read"):
        ctx.after()

    with ctx.rewards.connect() as opened:
        assert opened.execute("SELECT count(*) FROM ledger").fetchone() == (3,)


def test_a_way_back_asks_only_what_is_unchanged_and_is_not_held_up(stage):
    verify = f"-- expect: 0\nSELECT note FROM ledger;\n{BALANCES}\n-- expect: unchanged\nSELECT note FROM ledger;"
    ctx = stage(("ALTER TABLE ledger DROP note", verify), kind="rollback")

    before = ctx.before()
    after = ctx.after()

    assert before.summary == "1 check to be compared afterwards, 1 not measured. 1 table counted."
    assert before.evidence["checks"][1]["detail"].endswith("The way back is not held up by it.")
    assert verdicts(after.evidence) == [("001", 2, "passed"), ("001", 3, "not measured")]
    assert after.evidence["checks"][1]["detail"].endswith("It could not be asked before either.")


def test_a_way_back_that_takes_away_what_could_be_asked_before_fails(stage):
    ctx = stage(("ALTER TABLE ledger DROP points", BALANCES), kind="rollback")
    ctx.before()
    ctx.do("ALTER TABLE ledger RENAME TO gone")

    with pytest.raises(IntegrityFailed, match=r"The rollback is committed and stays\.") as refused:
        ctx.after()

    assert verdicts(refused.value.evidence) == [("001", 1, "failed")]


def test_where_there_is_nothing_to_look_at_it_is_skipped_and_says_so(stage):
    ctx = stage(("CREATE TABLE coupons (id int)", "-- expect: 0\nSELECT count(*) FROM coupons"))
    ctx.plan["touches"] = ["coupons"]

    before = ctx.before()
    ctx.do("CREATE TABLE coupons (id int)")
    after = ctx.after()

    assert (before.is_skipped, after.is_skipped) == (True, False)
    assert before.summary == (
        "No query is to be compared. Nothing was looked at: none of the tables that the plan touches exists."
    )
    assert after.evidence["rows"][0]["detail"] == "The table is new."


def test_a_person_who_asks_to_stop_is_obeyed(stage):
    ctx = stage((ADD, BALANCES))
    ctx.control.asked.set()

    with pytest.raises(CancelledOnRequest):
        ctx.before()


def test_after_a_crash_nothing_is_taken_as_done(stage):
    ctx = stage((ADD, BALANCES))

    assert [step.settled(ctx) for step in (CheckIntegrity("before"), CheckIntegrity("after"), Smoke())] == [None] * 3
    assert [CheckIntegrity("before").name, CheckIntegrity("after").name] == [BEFORE, AFTER]


def test_smoke_asks_its_script_and_progress_is_told(stage):
    ctx = stage(smoke="-- Somebody has points\n-- expect: true\nSELECT sum(points) > 0 FROM ledger")

    result = Smoke().run(ctx)

    assert (result.summary, result.is_skipped) == ("1 check passed.", False)
    assert [(one["migration"], one["title"]) for one in result.evidence["checks"]] == [
        ("smoke.sql", "Somebody has points")
    ]
    assert ctx.told == [{"migration": "smoke.sql", "check": 1, "of": 1, "title": "Somebody has points"}]


def test_smoke_that_fails_names_the_first_failures_and_keeps_all(stage):
    ctx = stage(smoke="-- expect: 0\nSELECT count(*) FROM ledger;\n" * 7)

    with pytest.raises(SmokeFailed) as refused:
        Smoke().run(ctx)

    assert str(refused.value).startswith("7 checks failed on rewards/staging/staging: smoke.sql, check 1 (SELECT")
    assert "check 5" in str(refused.value)
    assert "check 6" not in str(refused.value)
    assert "And 2 more. The migrations are committed and stay." in str(refused.value)
    assert len(refused.value.evidence["checks"]) == 7


def test_without_a_smoke_script_nothing_is_measured(stage):
    result = Smoke().run(stage())

    assert (result.summary, result.evidence, result.is_skipped) == ("There is no smoke.sql: not measured.", {}, True)
