"""A dump on disk: damage of every kind is found when it is read, and when it is compared with its manifest."""

import os
import shutil
import uuid

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from deployments.postgres.archive import BackupUnreadable, compare_with_manifest, read_to_end, write_manifest
from deployments.postgres.connect import Target
from deployments.postgres.stopped import CancelledOnRequest
from tests.postgres.dumps import client_in, dumped, newest
from tests.postgres.places import Place, Stopper
from tests.servers import SUPERUSER_URL


@pytest.fixture(scope="module")
def sound(superuser, tmp_path_factory):
    """A place in the store with the dump of a table of rows that do not compress, and of one without rows."""
    name, folder = f"archive_{os.getpid()}", tmp_path_factory.mktemp("store") / "fence-1"
    superuser.execute(f"CREATE DATABASE {name}")
    url = make_conninfo(os.environ[SUPERUSER_URL], dbname=name)
    with psycopg.connect(url) as opened:
        opened.execute("CREATE TABLE ledger AS SELECT sha512(n::text::bytea) FROM generate_series(1, 3000) n")
        opened.execute("CREATE TABLE users (id int)")
    folder.mkdir()
    target = Target(database_id=1, name="shop/staging/main", connection="env:ARCHIVED")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHIVED", url)
        dumped(Place(target, url, uuid.uuid4(), url), folder / "dump")
    superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
    return folder


@pytest.fixture
def archive(sound, tmp_path):
    """A copy of it, to be damaged."""
    return shutil.copytree(sound, tmp_path / "fence-1")


def data_file(archive, *, biggest: bool = True):
    """Return the biggest or the smallest file with rows."""
    return sorted(archive.glob("dump/*.dat.gz"), key=lambda path: path.stat().st_size)[-1 if biggest else 0]


def cut_off(archive):
    path = data_file(archive)
    path.write_bytes(path.read_bytes()[:-1])


def cut_off_in_the_middle(archive):
    path = data_file(archive)
    path.write_bytes(path.read_bytes()[:65536])


def cut_off_where_there_are_no_rows(archive):
    path = data_file(archive, biggest=False)
    path.write_bytes(path.read_bytes()[:-1])


def emptied(archive):
    data_file(archive).write_bytes(b"")


def full_of_zeros(archive):
    path = data_file(archive)
    path.write_bytes(bytes(path.stat().st_size))


def with_a_bit_flipped(archive):
    content = bytearray(data_file(archive).read_bytes())
    content[len(content) // 2] ^= 1
    data_file(archive).write_bytes(content)


def cut_to_one_byte(archive):
    path = data_file(archive)
    path.write_bytes(path.read_bytes()[:1])


def removed(archive):
    data_file(archive).unlink()


def without_contents(archive):
    (archive / "dump/toc.dat").write_bytes(b"")


def with_contents_cut_off(archive):
    path = archive / "dump/toc.dat"
    path.write_bytes(path.read_bytes()[:-200])


DAMAGE = [
    cut_off,
    cut_off_in_the_middle,
    cut_off_where_there_are_no_rows,
    emptied,
    full_of_zeros,
    with_a_bit_flipped,
    cut_to_one_byte,
    removed,
    without_contents,
    with_contents_cut_off,
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_dump_is_found_out_by_reading_and_by_its_manifest(archive, damage):
    stop, client = Stopper(), newest()
    manifest = write_manifest(
        archive, {"files": read_to_end(archive, client, stop=stop), "snapshot": {"at": "2026-11-22T12:00:00+00:00"}}
    )
    assert compare_with_manifest(archive, recorded=manifest.sha256, stop=stop) == manifest

    damage(archive)

    with pytest.raises(BackupUnreadable, match="is damaged"):
        read_to_end(archive, client, stop=stop)
    with pytest.raises(BackupUnreadable, match="is damaged"):
        compare_with_manifest(archive, recorded=manifest.sha256, stop=stop)


def test_what_pg_restore_grumbles_about_is_not_called_readable(archive, tmp_path):
    grumbling = client_in(tmp_path / "bin", pg_dump="exit 1", pg_restore="echo 'pg_restore: warning: odd' >&2")

    with pytest.raises(BackupUnreadable, match="ended with 0: warning: odd"):
        read_to_end(archive, grumbling, stop=Stopper())


def test_reading_stops_when_it_is_asked_to(archive):
    stop = Stopper()
    stop.asked.set()

    with pytest.raises(CancelledOnRequest):
        read_to_end(archive, newest(), stop=stop)


@pytest.fixture
def manifest(archive):
    facts = read_to_end(archive, newest(), stop=Stopper())
    return write_manifest(archive, {"files": facts, "snapshot": {"at": "2026-11-22T12:00:00+00:00"}})


def test_a_manifest_knows_size_and_number_of_its_files(archive, manifest):
    files = list((archive / "dump").iterdir())

    assert manifest.files == len(files)
    assert manifest.bytes == sum(path.stat().st_size for path in files)


def test_a_file_that_the_manifest_does_not_name_is_refused(archive, manifest):
    (archive / "dump" / "more.dat").write_bytes(b"more")

    with pytest.raises(BackupUnreadable, match="not as the manifest says"):
        compare_with_manifest(archive, recorded=None, stop=Stopper())


def test_another_manifest_than_the_recorded_one_is_refused(archive, manifest):
    write_manifest(archive, dict(manifest.content) | {"rows": {}})

    assert compare_with_manifest(archive, recorded=None, stop=Stopper())
    with pytest.raises(BackupUnreadable, match="not the one that was recorded"):
        compare_with_manifest(archive, recorded=manifest.sha256, stop=Stopper())


@pytest.mark.parametrize("text", [b"", b"\xff", b"{", b"[]", b"7", b'{"files": 1}', b'{"files": {"a": 1}}'])
def test_a_manifest_that_is_none_is_refused(archive, text):
    (archive / "manifest.json").write_bytes(text)

    with pytest.raises(BackupUnreadable, match="its manifest cannot be read"):
        compare_with_manifest(archive, recorded=None, stop=Stopper())


def test_a_place_without_a_manifest_is_refused(archive):
    with pytest.raises(BackupUnreadable, match=r"its manifest cannot be read \(FileNotFoundError\)"):
        compare_with_manifest(archive, recorded=None, stop=Stopper())
