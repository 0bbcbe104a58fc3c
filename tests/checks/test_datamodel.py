"""What a data model asks for and migrations do not make is told; what it has no words for is not held against them."""

from checks.datamodel import produced
from checks.schema import Snapshot

USERS = {
    "columns": {"id": {"type": "integer", "not null": True}, "name": {"type": "text"}},
    "constraints": {"users_pkey": {"definition": "PRIMARY KEY (id)"}},
    "column order": ["id", "name"],
    "owner": "anybody",
}


def schema(**objects) -> Snapshot:
    return Snapshot({name.replace("__", " public."): one for name, one in objects.items()}, 160_009)


def changed(**parts):
    return USERS | parts


def test_the_same_tables_are_produced_whoever_owns_them():
    found = produced(schema(table__users=USERS), schema(table__users=changed(owner="prisma", grants={"app": "SELECT"})))

    assert (found.is_equal, found.missing, found.more) == (True, (), ())


def test_what_only_migrations_can_make_is_told_apart_or_left_out():
    checked = changed(constraints=USERS["constraints"] | {"positive": {"definition": "CHECK ((id > 0))"}})
    made = schema(table__users=checked, view__v={"view": "SELECT 1"}, table__raw={"columns": {}})

    found = produced(made, schema(table__users=USERS))

    assert found.is_equal
    assert found.more == (
        "table public.raw is not in the model",
        "table public.users: constraint positive is not in the model",
    )


def test_what_the_model_asks_for_and_the_migrations_do_not_make_is_told_with_both_sides():
    columns = {
        "id": {"type": "bigint", "not null": True},
        "name": {"type": "text", "not null": True},
        "note": {"type": "text"},
    }
    wanted = changed(columns=columns, indexes={"by_name": {"definition": "CREATE INDEX"}})
    mood = {"kind": "enum", "labels": ["good", "bad"]}
    more = changed(columns=USERS["columns"] | {"old": {"type": "text"}})

    found = produced(
        schema(table__users=more, type__mood=mood | {"labels": ["good"]}),
        schema(table__users=wanted, type__mood=mood, table__new={"columns": {}}),
    )

    assert not found.is_equal
    assert set(found.missing) == {
        "table public.new is not made",
        "table public.users: column id, type is integer, the model asks for bigint",
        "table public.users: column name, not null is not set, the model asks for yes",
        "table public.users: column note is not made",
        "table public.users: column old is not in the model",
        "table public.users: index by_name is not made",
        "type public.mood: labels is good, the model asks for good, bad",
    }


def test_what_cannot_be_compared_is_not_called_produced():
    found = produced(schema(table__users=USERS), Snapshot({}, 170_000))

    assert (found.is_equal, found.missing) == (False, ())
    assert found.why_not_known
