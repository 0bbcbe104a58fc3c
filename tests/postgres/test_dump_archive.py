"""A dump on disk: damage of every kind is found when it is read, when it is compared, and when it is restored."""

import base64
import os
import shutil
import uuid
from dataclasses import replace

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from deployments.postgres.backup.archive import BackupUnreadable, compare_with_manifest, read_to_end, write_manifest
from deployments.postgres.backup.packing import END_OF_ROWS, Damaged, pack, plain_name, unpack_all
from deployments.postgres.backup.sealing import BackupKeyMissing, BackupKeyUnusable, BackupKeyWrong, Keys
from deployments.postgres.connect import Target
from deployments.postgres.stopped import CancelledOnRequest
from tests.postgres.dumps import client_in, dumped, newest
from tests.postgres.places import Place, Stopper
from tests.servers import SUPERUSER_URL

AT = {"snapshot": {"at": "2026-11-22T12:00:00+00:00"}}


def new_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


@pytest.fixture(scope="module")
def keys():
    """The keys of a worker, with one key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHIVE_KEY", new_key())
        yield Keys(("env:ARCHIVE_KEY",))


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "encrypted"])
def sound(superuser, tmp_path_factory, keys, request):
    """A place with the dump of a table of rows that do not compress, one without rows, and a large object; its seal."""
    name, folder = f"archive_{os.getpid()}", tmp_path_factory.mktemp("store") / "fence-1"
    superuser.execute(f"CREATE DATABASE {name}")
    url = make_conninfo(os.environ[SUPERUSER_URL], dbname=name)
    with psycopg.connect(url) as opened:
        opened.execute("CREATE TABLE ledger AS SELECT sha512(n::text::bytea) FROM generate_series(1, 30000) n")
        opened.execute("CREATE TABLE users (id int)")
        opened.execute("SELECT lo_from_bytea(0, 'large')")
    folder.mkdir()
    target = Target(database_id=1, name="shop/staging/main", connection="env:ARCHIVED")
    seal = keys.new_seal() if request.param else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHIVED", url)
        made = dumped(Place(target, url, uuid.uuid4(), url), folder / "dump", seal=seal)
    superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
    return folder, made.files, seal


@pytest.fixture
def archive(sound, tmp_path):
    """A copy of it, to be damaged."""
    return shutil.copytree(sound[0], tmp_path / "fence-1")


@pytest.fixture
def manifest(archive, sound):
    return write_manifest(archive, {"files": sound[1], **AT})


def files_of(archive) -> dict:
    """Return one file of every kind: rows in several chunks, no rows, large objects, their list, the contents."""
    files = [path for path in (archive / "dump").iterdir() if path.is_file()]
    rows = sorted((one for one in files if one.name[0].isdigit()), key=lambda path: path.stat().st_size)
    return {
        "rows": rows[-1],
        "no rows": rows[0],
        "large object": next(one for one in files if one.name.startswith("blob_") and ".dat" in one.name),
        "list of large objects": next(one for one in files if one.name.startswith("blobs_")),
        "contents": next(one for one in files if one.name.startswith("toc.dat")),
    }


def cut(path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])


def flip(path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "cut off by one byte": lambda path: cut(path, -1),
    "cut off in the middle": lambda path: cut(path, path.stat().st_size // 2),
    "cut to one byte": lambda path: cut(path, 1),
    "emptied": lambda path: cut(path, 0),
    "full of zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "a bit flipped at the begin": lambda path: flip(path, 0),
    "a bit flipped in the middle": lambda path: flip(path, path.stat().st_size // 2),
    "a bit flipped at the end": lambda path: flip(path, -1),
    "one byte more": lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    "removed": lambda path: path.unlink(),
    "in the place of another": lambda path: shutil.copy(
        max((one for one in path.parent.iterdir() if one != path), key=lambda one: one.stat().st_size), path
    ),
}


@pytest.mark.parametrize("kind", ["rows", "no rows", "large object", "list of large objects", "contents"])
def test_every_damage_of_every_kind_of_file_is_refused_by_all_who_read_it(archive, manifest, sound, kind, tmp_path):
    _, files, seal = sound
    stop, client = Stopper(), newest()
    read_to_end(archive, client, files, seal=seal, stop=stop)
    assert compare_with_manifest(archive, recorded=manifest.sha256, stop=stop) == manifest
    damaged = files_of(archive)[kind]
    whole = damaged.read_bytes()

    for number, (name, damage) in enumerate(DAMAGE.items()):
        damage(damaged)

        for reads in (
            lambda: read_to_end(archive, client, files, seal=seal, stop=stop),
            lambda: compare_with_manifest(archive, recorded=manifest.sha256, stop=stop),
            lambda into=tmp_path / f"unpacked-{number}": unpack_all(
                archive, files, into=into, jobs=2, seal=seal, stop=stop
            ),
        ):
            with pytest.raises((BackupUnreadable, Damaged, FileNotFoundError)):
                reads()
                pytest.fail(f"{kind} {name} was not found out")
        damaged.write_bytes(whole)
    read_to_end(archive, client, files, seal=seal, stop=stop)


def test_other_rows_of_the_same_length_are_refused_although_they_unpack(archive, sound, tmp_path):
    _, files, seal = sound
    name = f"dump/{files_of(archive)['rows'].name}"
    (tmp_path / "dump").mkdir()
    other = tmp_path / plain_name(name)
    other.write_bytes(bytes(files[name]["plain_bytes"] - len(END_OF_ROWS)) + END_OF_ROWS)
    packed, _ = pack(other, plain_name(name), workers=0, seal=seal)
    shutil.copy(tmp_path / packed, archive / name)

    with pytest.raises(BackupUnreadable, match="is not as the manifest says"):
        read_to_end(archive, newest(), files, seal=seal, stop=Stopper())


def test_what_pg_restore_grumbles_about_is_not_called_readable(archive, sound, tmp_path):
    grumbling = client_in(tmp_path / "bin", pg_dump="exit 1", pg_restore="echo 'pg_restore: warning: odd' >&2")

    with pytest.raises(BackupUnreadable, match="ended with 0: warning: odd"):
        read_to_end(archive, grumbling, sound[1], seal=sound[2], stop=Stopper())


def test_contents_that_name_a_table_without_a_file_are_refused(archive, sound, tmp_path):
    promising = client_in(
        tmp_path / "bin",
        pg_dump="exit 1",
        pg_restore='for w; do case "$w" in --file=*) echo "9; 0 1 TABLE DATA public x y" > "${w#--file=}";; esac; done',
    )

    with pytest.raises(BackupUnreadable, match=r"its contents name what is not there: dump/9\.dat"):
        read_to_end(archive, promising, sound[1], seal=sound[2], stop=Stopper())


def test_reading_stops_when_it_is_asked_to(archive, sound):
    stop = Stopper()
    stop.asked.set()

    with pytest.raises(CancelledOnRequest):
        read_to_end(archive, newest(), sound[1], seal=sound[2], stop=stop)


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


@pytest.mark.parametrize("text", [None, b"", b"\xff", b"{", b"[]", b"7", b'{"files": 1}', b'{"files": {"a": 1}}'])
def test_a_manifest_that_is_none_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "manifest.json").write_bytes(text)

    with pytest.raises(BackupUnreadable, match="its manifest cannot be read"):
        compare_with_manifest(tmp_path, recorded=None, stop=Stopper())


def test_only_the_key_that_encrypted_a_backup_opens_it(keys, monkeypatch):
    seal = keys.new_seal()
    monkeypatch.setenv("ANOTHER_KEY", new_key())
    another = Keys(("env:ANOTHER_KEY",))

    assert Keys((*another.references, *keys.references)).seal_of(seal.told, what="It").key == seal.key
    with pytest.raises(BackupKeyWrong, match=f"encrypted with the key {seal.told['key_id']}, and this worker has"):
        another.seal_of(seal.told, what="It")
    with pytest.raises(BackupKeyWrong):  # its wrapped key was changed
        keys.seal_of(seal.told | {"wrapped_key": another.new_seal().told["wrapped_key"]}, what="It")
    with pytest.raises(BackupKeyMissing):
        Keys().seal_of(seal.told, what="It")
    assert base64.b64encode(seal.key).decode() not in f"{seal!r}{seal.told}{keys!r}{keys.known!r}"


@pytest.mark.parametrize("text", ["short", base64.b64encode(b"x" * 16).decode(), "ü" * 44])
def test_what_is_no_key_is_refused_without_showing_it(monkeypatch, text):
    monkeypatch.setenv("NO_KEY", text)

    with pytest.raises(BackupKeyUnusable) as refused:
        Keys(("env:NO_KEY",)).new_seal()
    assert text not in str(refused.value)


def test_chunks_of_an_encrypted_file_cannot_change_places_or_files(keys):
    seal = keys.new_seal()
    content = os.urandom(2**20) + b"a" * 2**20 + b"end"
    magic, first, second, last = seal.sealed("a", [content])

    assert b"".join(seal.opened("a", [magic, first, second, last])) == content
    for name, parts in (
        ("a", [magic, second, first, last]),
        ("a", [magic, first, last]),
        ("a", [magic, first, second]),
        ("a", [magic, first, second, last, last]),
        ("b", [magic, first, second, last]),
    ):
        with pytest.raises(ValueError, match="not as it was written"):
            list(seal.opened(name, parts))
    other = replace(seal, key=os.urandom(32))
    with pytest.raises(ValueError, match="not as it was written"):
        list(other.opened("a", [magic, first, second, last]))
