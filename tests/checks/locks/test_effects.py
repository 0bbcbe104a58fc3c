"""What is said where the schema is not known, and of what cannot be analysed: never nothing."""

from checks.locks import Effects, Mode, Work, effects_of
from checks.model import EMPTY, UNKNOWN, Name, Schema
from checks.model.replay import begin, replay, replay_script
from checks.statements import parse

T = Name("public", "t")


def effects(sql: str, *, given: str = "", schema: Schema | None = None, version: int = 16) -> Effects:
    """The effects of the last statement of a script, after what is there before it."""
    schema = begin(replay_script(EMPTY, parse(given)) if schema is None else schema)
    *earlier, last = parse(sql).statements
    for statement in earlier:
        schema = replay(schema, statement)
    return effects_of(last, schema, version)


def test_code_that_cannot_be_analysed_is_named() -> None:
    given = (
        "create table t (id int); create function f() returns trigger language plpgsql as 'begin end'; "
        "create trigger g before insert on t for each row execute function f()"
    )

    assert effects("do $$ begin delete from t; end $$").unknown == ("a DO block",)
    assert effects("call p()").unknown == ("what the procedure does",)
    assert effects("execute x").unknown == ("the prepared statement",)
    assert effects("select f(1)").unknown == ("what f() does",)
    assert effects("insert into t values (1)", given=given).unknown == ("what the trigger g of t does",)
    assert effects("alter table t add column z int default odd(1)", given=given).on(T).maybe == {Work.REWRITE}  # type: ignore[union-attr]


def test_a_statement_that_nobody_listed_is_unknown() -> None:
    found = effects("alter statistics s set statistics 100")

    assert found.unknown != ()
    assert found.locks == ()


def test_every_statement_of_the_grammar_that_is_taken_for_harmless_names_no_relation() -> None:
    harmless = (
        "set lock_timeout = 1; show all; begin; notify x; create role r; create type e as enum ('a'); "
        "create extension citext; alter role r set search_path = x; create domain d as int; listen x; discard all"
    )

    for statement in parse(harmless).statements:
        assert effects_of(statement, EMPTY, 16) == Effects(), statement.sql


def test_without_a_schema_what_only_it_could_tell_is_untold_and_not_unknown() -> None:
    dropped = effects("drop table t", schema=UNKNOWN)
    retyped = effects("alter table t alter column a type bigint", schema=UNKNOWN)
    index = effects("drop index i", schema=UNKNOWN)

    assert dropped.on(T).mode is Mode.ACCESS_EXCLUSIVE  # type: ignore[union-attr]
    assert (dropped.unknown, dropped.untold) == ((), ("foreign keys, views and sequences of t",))
    assert retyped.on(T).maybe == {Work.REWRITE}  # type: ignore[union-attr]
    assert retyped.untold == ("the type that t.a has now",)
    assert index.untold == ("which table has the index i",)
    assert dropped.fails == retyped.fails == index.fails == ""


def test_without_a_schema_nothing_is_refused_for_being_absent() -> None:
    for sql in ("alter table t drop column c", "drop table t", "alter table t drop constraint c", "select * from t"):
        assert effects(sql, schema=UNKNOWN).fails == "", sql
        assert effects(sql).fails != "", sql


def test_code_that_ran_before_makes_refusals_possible_only_and_no_work_is_lost() -> None:
    given = "create table t (id int, c int); do $$ begin end $$"

    again = effects("alter table t add column if not exists c int default random()", given=given)
    missing = effects("alter table t drop column nothing", given=given)

    assert again.on(T).maybe == {Work.REWRITE}  # type: ignore[union-attr]
    assert again.on(T).work == set()  # type: ignore[union-attr]
    assert missing.fails == ""
    assert missing.may_fail == ("there is no column nothing in t",)


def test_a_table_that_the_same_script_made_is_new() -> None:
    found = effects("create table t (id int); create index i on t (id)")

    assert found.on(T).is_new  # type: ignore[union-attr]
    assert found.felt == ()
    assert effects("create index i on t (id)", given="create table t (id int)").felt != ()


def test_an_index_that_is_locked_stops_the_readers_of_its_table() -> None:
    given = "create table t (id int); create index i on t (id)"

    rebuilt = effects("reindex index i", given=given)
    moved = effects("alter index i set tablespace fast", given=given)
    renamed = effects("alter index i rename to j", given=given)

    assert rebuilt.on(T).mode is Mode.SHARE  # type: ignore[union-attr]
    assert [one.mode for one in rebuilt.felt] == [Mode.ACCESS_EXCLUSIVE]
    assert moved.locks == ()
    assert [(one.relation, one.mode, one.work) for one in moved.felt] == [(T, Mode.ACCESS_EXCLUSIVE, {Work.COPY})]
    assert renamed.felt == ()


def test_an_old_type_with_another_time_zone_is_rewritten_and_without_one_maybe() -> None:
    given = "create table t (a timestamp)"
    retype = "alter table t alter column a type timestamptz"

    assert effects(retype, given=given).on(T).maybe == {Work.REWRITE}  # type: ignore[union-attr]
    assert effects(f"set timezone = 'UTC'; {retype}", given=given).on(T).maybe == set()  # type: ignore[union-attr]
    assert effects(f"set timezone = 'Asia/Tokyo'; {retype}", given=given).on(T).work == {Work.REWRITE}  # type: ignore[union-attr]


def test_what_an_older_server_does_not_know_fails_there() -> None:
    given = "create table t (id int, g int generated always as (id) stored)"
    newer = {
        15: "create unique index i on t (id) nulls not distinct",
        17: "alter table t alter column g set expression as (id + 1)",
        18: "alter table t add constraint c not null id",
    }

    for version, sql in newer.items():
        assert "needs PostgreSQL" in effects(sql, given=given, version=version - 1).fails
        assert effects(sql, given=given, version=version).fails == ""


def test_a_build_that_waits_for_old_transactions_says_so() -> None:
    given = "create table t (id int)"

    assert effects("create index concurrently i on t (id)", given=given).waits_for_old_transactions
    assert not effects("create index i on t (id)", given=given).waits_for_old_transactions


def test_deep_nesting_and_long_chains_of_views_are_followed_to_the_end() -> None:
    views = ["create table t (id int)", "create view v0 as select id from t"]
    views += [f"create view v{one} as select id from v{one - 1}" for one in range(1, 600)]

    found = effects("select * from v599", given="; ".join(views))
    nested = effects(f"select {'(' * 200}id{')' * 200} from t", given=views[0])

    assert found.on(T).mode is Mode.ACCESS_SHARE  # type: ignore[union-attr]
    assert len(found.locks) == 601  # the views and the table
    assert nested.on(T).mode is Mode.ACCESS_SHARE  # type: ignore[union-attr]
