"""One fingerprint for any set of objects."""

from checks.schema import fingerprint, touched

SCHEMA = {"table public.ledger": "a", "table audit.ledger": "b", "function public.points(integer)": "c"}


def test_a_fingerprint_does_not_depend_on_the_order_of_reading():
    assert fingerprint(SCHEMA) == fingerprint(dict(reversed(SCHEMA.items())))


def test_every_object_counts():
    for name in SCHEMA:
        assert fingerprint(SCHEMA | {name: "other"}) != fingerprint(SCHEMA)
        assert fingerprint({key: SCHEMA[key] for key in SCHEMA if key != name}) != fingerprint(SCHEMA)


def test_a_name_without_a_schema_means_every_schema():
    assert set(touched(SCHEMA, ["ledger"])) == {"table public.ledger", "table audit.ledger"}
    assert set(touched(SCHEMA, ["audit.ledger"])) == {"table audit.ledger"}
    assert set(touched(SCHEMA, ["points"])) == {"function public.points(integer)"}
    assert touched(SCHEMA, ["led"]) == {}


def test_a_quoted_name_means_the_object_of_that_name():
    schema = {"table public.RefreshToken": "a", "table public.refreshtoken": "b", 'table public.say "hi"': "c"}

    assert set(touched(schema, ['"RefreshToken"'])) == {"table public.RefreshToken"}
    both = touched(schema, ['public."RefreshToken"', '"say ""hi"""'])
    assert set(both) == {"table public.RefreshToken", 'table public.say "hi"'}
