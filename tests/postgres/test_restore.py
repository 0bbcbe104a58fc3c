"""A restore: into a new database with the same properties, compared with the snapshot, or nothing is left of it."""

import os
import threading
import uuid
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from deployments.postgres.backup import restore as restoring
from deployments.postgres.backup.archive import BackupUnreadable, Manifest, write_manifest
from deployments.postgres.backup.compare import compare
from deployments.postgres.backup.filling import RestoreFailed
from deployments.postgres.backup.restore import RestoreWithoutRoom, restore_to
from deployments.postgres.backup.scratch import Purpose, Scratch, drop_leftovers, drop_scratch
from deployments.postgres.connect import Target
from deployments.postgres.stopped import CancelledOnRequest
from tests.postgres.dumps import HOLDER, dumped, newest
from tests.postgres.places import Place, Stopper
from tests.servers import SUPERUSER_URL

PLANE = uuid.uuid4()
CONTENT = (
    "CREATE EXTENSION citext",
    "CREATE TYPE tier AS ENUM ('basic', 'gold')",
    "CREATE TABLE users (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name citext UNIQUE, tier tier, extra json)",
    "ALTER TABLE users ADD token bytea DEFAULT 'abc'",  # its text depends on a setting
    "INSERT INTO users (name, tier, extra) SELECT 'n' || n, 'gold', '{\"a\": 1}' FROM generate_series(1, 500) n",
    "CREATE TABLE ledger (id bigserial, user_id int REFERENCES users, points numeric) PARTITION BY RANGE (id)",
    "CREATE TABLE ledger_1 PARTITION OF ledger FOR VALUES FROM (1) TO (1000)",
    "CREATE TABLE ledger_2 PARTITION OF ledger DEFAULT",
    "INSERT INTO ledger (user_id, points) SELECT 1 + n % 500, n / 3.0 FROM generate_series(1, 2000) n",
    "CREATE INDEX ON ledger (points) WHERE points > 3",
    "CREATE FUNCTION doubled(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2'",
    "CREATE MATERIALIZED VIEW sums AS SELECT user_id, sum(points) FROM ledger GROUP BY 1",
    "CREATE TABLE empty ()",
    "SELECT lo_from_bytea(0, 'large')",
)
PROPERTIES = (
    "ALTER DATABASE {name} SET search_path = '$user', public, 'od d'",
    "ALTER DATABASE {name} SET bytea_output = 'escape'",
    "ALTER DATABASE {name} SET default_transaction_read_only = on",
    "ALTER ROLE {role} IN DATABASE {name} SET work_mem = '8MB'",
    "ALTER DATABASE {name} CONNECTION LIMIT 50",
    "COMMENT ON DATABASE {name} IS 'It''s ours'",
    "REVOKE ALL ON DATABASE {name} FROM PUBLIC",
    "GRANT CONNECT ON DATABASE {name} TO {role} WITH GRANT OPTION",
)


@pytest.fixture(scope="module")
def role(superuser):
    name = f"owner_{os.getpid()}"
    superuser.execute(f"CREATE ROLE {name}")
    yield name
    superuser.execute(f"DROP ROLE {name}")


@pytest.fixture(scope="module")
def backup(superuser, role, tmp_path_factory):
    """A place with a backup that was made while rows were written, and its manifest; the server as a target."""
    name, folder = f"source_{os.getpid()}", tmp_path_factory.mktemp("store") / "fence-1"
    has_builtin = superuser.info.server_version >= 170000
    locale = "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'" if has_builtin else "LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
    superuser.execute(f"CREATE DATABASE {name} OWNER {role} TEMPLATE template0 ENCODING 'UTF8' {locale}")
    url = make_conninfo(os.environ[SUPERUSER_URL], dbname=name)
    with psycopg.connect(url, autocommit=True) as opened:
        for statement in CONTENT:
            opened.execute(statement)
        opened.execute(f"GRANT SELECT ON users TO {role}")
        for statement in PROPERTIES:
            opened.execute(statement.format(name=name, role=role))
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE", url)
        target = Target(database_id=1, name="shop/staging/main", connection="env:SOURCE")
        made = written_meanwhile(Place(target, url, uuid.uuid4(), url), folder / "dump", url)
        content = made.as_manifest() | {"scope": "database"}
        yield folder, write_manifest(folder, content), target
    superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")


def written_meanwhile(place: Place, folder, url: str):
    """Dump while another session changes rows and sequences all the time."""
    enough = threading.Event()

    def write() -> None:
        with psycopg.connect(url, autocommit=True, options="-c default_transaction_read_only=off") as opened:
            while not enough.is_set():
                opened.execute("INSERT INTO public.ledger (user_id, points) SELECT 1, n FROM generate_series(1, 50) n")
                opened.execute("UPDATE public.users SET extra = '{}' WHERE id = 7")

    writer = threading.Thread(target=write)

    def choose(seen):
        writer.start()
        return newest(seen.server_version)

    try:
        return dumped(place, folder, choose=choose)
    finally:
        enough.set()
        writer.join()


@pytest.fixture
def scratch(backup):
    """The name of a database to restore into; it is gone afterwards."""
    name = Scratch.named(PLANE, Purpose.VERIFY, job=os.getpid(), fence=7)
    yield name
    drop_scratch(backup[2], name, name="a test")


def restored(backup, scratch, tmp_path, **changes):
    folder, manifest, target = backup
    wanted = {"place": folder, "manifest": manifest, "into": tmp_path / "unpacked.tmp", "stop": Stopper()} | changes
    return restore_to(target, HOLDER, name=str(scratch), client=newest(), jobs=2, **wanted)


def databases(superuser) -> set[str]:
    """Return the scratch databases of this process: others have theirs on the same server."""
    query = "SELECT datname FROM pg_database WHERE datname LIKE %s"
    return {name for (name,) in superuser.execute(query, [f"lkt\\_%\\_{os.getpid()}\\_%"])}


def test_what_is_restored_equals_the_snapshot_in_everything_although_others_wrote(
    backup, scratch, tmp_path, superuser, role
):
    result = restored(backup, scratch, tmp_path, is_closed=False)

    assert result.compared.is_equal, (result.compared.differences, result.compared.not_compared)
    assert result.compared.rows >= 2500
    told = superuser.execute(
        "SELECT pg_get_userbyid(datdba), datlocprovider, to_jsonb(d) ->> 'datlocale', datconnlimit,"
        " shobj_description(oid, 'pg_database'), datacl::text FROM pg_database d WHERE datname = %s",
        [str(scratch)],
    ).fetchone()
    provider = ("b", "C.UTF-8") if superuser.info.server_version >= 170000 else ("c", None)
    assert told[:5] == (role, *provider, 50, "It's ours")
    assert f"{role}=c*" in told[5].replace("C*", "c*").replace("CTc*", "c*")
    settings = superuser.execute(
        "SELECT unnest(setconfig) FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = %s"
        " ORDER BY 1",
        [str(scratch)],
    ).fetchall()
    assert settings == [
        ("bytea_output=escape",),
        ("default_transaction_read_only=on",),
        ('search_path="$user", public, "od d"',),
        ("work_mem=8MB",),
    ]
    assert not (tmp_path / "unpacked.tmp").exists()


def test_every_difference_is_found_and_named(backup, scratch, tmp_path):
    _, manifest, target = backup
    restored(backup, scratch, tmp_path)
    url = make_conninfo(os.environ["SOURCE"], dbname=str(scratch), options="-c default_transaction_read_only=off")
    changes = {
        '"public"."users" has as many rows, and not the same ones': "UPDATE public.users SET extra = '[]' WHERE id = 9",
        '"public"."ledger_1" has 998 rows instead of 999': "DELETE FROM public.ledger WHERE id = 5",
        '"public"."empty" is missing': "DROP TABLE public.empty",
        '"public"."more" was not in the backup': "CREATE TABLE public.more ()",
        "large objects has as many rows, and not the same ones": "SELECT lo_put(oid, 0, 'other')"
        " FROM pg_largeobject_metadata",
    }
    with psycopg.connect(url, autocommit=True) as opened:
        opened.execute("SELECT setval('public.ledger_id_seq', 3)")
        opened.execute("GRANT INSERT ON public.users TO pg_monitor")
        for change in changes.values():
            opened.execute(change)

    found = compare(replace(target, dbname=str(scratch)), manifest.content, name="a test", jobs=2, stop=Stopper())

    assert changes.keys() <= set(found.differences)
    assert any(told.startswith('sequence "public"."ledger_id_seq" is at 3') for told in found.differences)
    assert "table public.users differs" in found.differences
    assert not found.is_equal


def test_a_closed_one_may_be_entered_by_its_owner_only(backup, scratch, tmp_path, superuser, role):
    restored(backup, scratch, tmp_path)

    ((grants,),) = superuser.execute("SELECT datacl::text FROM pg_database WHERE datname = %s", [str(scratch)])
    assert grants == f"{{{role}=CTc/{role}}}"


def failing(tmp_path, backup, kind: str):
    """Return what makes a restore fail in this way, and what it raises."""
    _, manifest, _ = backup
    content = dict(manifest.content)
    match kind:
        case "role":
            properties = content["database"] | {"roles": ["nobody_here"]}
            return {"manifest": Manifest(content | {"database": properties}, "")}, RestoreFailed
        case "newer":
            return {"manifest": Manifest(content | {"server": {"version": 990000}}, "")}, RestoreFailed
        case "old format":
            return {"manifest": Manifest({**content, "database": None} | {"scope": "tables"}, "")}, RestoreFailed
        case "room":
            return {"room_bytes": 1000}, RestoreWithoutRoom
        case "damaged":
            files = {name: fact | {"sha256": "0" * 64} for name, fact in content["files"].items()}
            return {"manifest": Manifest(content | {"files": files}, "")}, BackupUnreadable
        case "cancelled":
            stop = Stopper()
            return {"stop": stop, "log": lambda _: stop.asked.set()}, CancelledOnRequest
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", ["role", "newer", "old format", "room", "damaged", "cancelled"])
def test_what_fails_leaves_neither_a_database_nor_a_file(backup, tmp_path, superuser, kind):
    before = databases(superuser)
    changes, refusal = failing(tmp_path, backup, kind)

    with pytest.raises(refusal):
        restored(backup, Scratch.named(PLANE, Purpose.VERIFY, job=os.getpid(), fence=8), tmp_path, **changes)

    assert databases(superuser) == before
    assert not (tmp_path / "unpacked.tmp").exists()


def test_the_first_error_stops_it_and_no_value_is_told(backup, tmp_path, superuser, monkeypatch):
    real = restoring.create_database

    def with_a_table_in_the_way(opened, name, wanted):
        real(opened, name, wanted)
        with psycopg.connect(os.environ["SOURCE"], dbname=name, autocommit=True) as inside:
            inside.execute("CREATE TABLE public.users (id int)")

    monkeypatch.setattr(restoring, "create_database", with_a_table_in_the_way)
    before = databases(superuser)

    with pytest.raises(RestoreFailed, match='relation "users" already exists'):
        restored(backup, Scratch.named(PLANE, Purpose.VERIFY, job=os.getpid(), fence=9), tmp_path)

    assert databases(superuser) == before


def test_a_database_that_is_there_already_is_left_alone(backup, tmp_path, superuser):
    there = Scratch.named(PLANE, Purpose.VERIFY, job=os.getpid(), fence=10)
    superuser.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(str(there))))
    try:
        with pytest.raises(RestoreFailed, match="already exists"):
            restored(backup, there, tmp_path)
        assert str(there) in databases(superuser)
    finally:
        superuser.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(str(there))))


def test_only_what_dead_executors_of_this_control_plane_left_is_dropped(backup, superuser):
    job = os.getpid()
    ours = [Scratch.named(PLANE, Purpose.VERIFY, job=job, fence=fence) for fence in (1, 2)]
    kept = [
        Scratch.named(PLANE, Purpose.REHEARSE, job=job, fence=1),
        Scratch.named(uuid.uuid4(), Purpose.VERIFY, job=job, fence=1),
    ]
    names = [*map(str, (*ours, *kept)), f"lkt_{PLANE.hex[:8]}_mine_{job}_1"]
    for name in names:
        superuser.execute(sql.SQL("CREATE DATABASE {} STRATEGY FILE_COPY").format(sql.Identifier(name)))
    try:
        dropped = drop_leftovers(
            backup[2], PLANE, purposes=[Purpose.VERIFY], is_alive=lambda _, fence: fence == 2, name="a test"
        )
        assert dropped == [str(ours[0])]
        assert set(names) - databases(superuser) == {str(ours[0])}
    finally:
        for name in names:
            superuser.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
