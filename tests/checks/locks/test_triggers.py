"""Which triggers a statement on rows may run, and which changes of a column a trigger forbids."""

from tests.checks.locks.test_effects import effects

GIVEN = (
    "create table t (id int primary key, a int, b int, name text);"
    "create table c (t_id int references t on delete cascade);"
    "create function f() returns trigger language plpgsql as 'begin end';"
    "create trigger on_a before insert or update of a on t for each row execute function f();"
    "create trigger gone after delete on t execute function f();"
    "create trigger child_gone after delete on c execute function f();"
)


def run(sql: str) -> list[str]:
    """The triggers that a statement may run."""
    return [one.split()[3] for one in effects(sql, given=GIVEN).unknown]


def test_only_the_triggers_of_the_event_and_its_columns_are_named() -> None:
    assert run("update t set b = 1") == []
    assert run("update t set b = 1, a = 2") == ["on_a"]
    assert run("insert into t values (1)") == ["on_a"]
    assert run("insert into c values (1)") == []
    assert run("insert into t values (1) on conflict (id) do update set b = 1") == ["on_a"]
    assert sorted(run("delete from t")) == ["child_gone", "gone"]


def test_a_trigger_does_not_let_its_column_change_type_or_go() -> None:
    given = GIVEN + "create trigger q before update of name on t for each row when (new.b > 0) execute function f();"

    for column in ("name", "b"):
        for command in (f"alter {column} type bigint using 1", f"drop {column}"):
            assert "the trigger q of t" in effects(f"alter table t {command}", given=given).fails, command
    assert effects("alter table t alter id type bigint", given=given).fails == ""
    assert effects("alter table t drop name cascade", given=given).fails == ""
