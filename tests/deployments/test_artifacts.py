"""The artifacts store: what is in it is complete, and nothing is outside of it."""

import errno
import os
import stat
from pathlib import Path

import pytest

from deployments.artifacts import Artifacts, ArtifactsFull, ArtifactsNotWritable, PlaceOutside

PLACE = "run-12/job-34/fence-56"


@pytest.fixture
def store(tmp_path) -> Artifacts:
    return Artifacts(tmp_path / "the store")


def everything(store: Artifacts) -> set[str]:
    return {str(path.relative_to(store.root)) for path in store.root.rglob("*") if not path.is_dir()}


def test_a_place_is_there_when_all_of_it_is_written(store):
    with store.writing(PLACE) as folder:
        (folder / "dump").mkdir()
        (folder / "dump" / "toc.dat").write_text("contents")
        assert store.complete("run-12/job-34") == []

    assert store.complete("run-12/job-34") == [PLACE]
    assert (store.path(PLACE) / "dump" / "toc.dat").read_text() == "contents"
    assert everything(store) == {f"{PLACE}/dump/toc.dat"}


def test_of_what_failed_nothing_is_left(store):
    with pytest.raises(ZeroDivisionError), store.writing(PLACE) as folder:
        (folder / "toc.dat").write_text("half of")
        raise ZeroDivisionError

    assert store.complete("run-12/job-34") == []
    assert everything(store) == set()
    assert not list(store.path("run-12/job-34").iterdir())


def test_what_is_written_is_on_the_disk_before_it_is_in_its_place(store, monkeypatch):
    synced = []
    real = os.fsync

    def fsync(handle):
        synced.append((Path(f"/proc/self/fd/{handle}").readlink().name, store.path(PLACE).exists()))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with store.writing(PLACE) as folder:
        (folder / "toc.dat").write_text("contents")

    assert synced == [
        ("toc.dat", False),
        ("fence-56.tmp", False),
        ("job-34", True),
        ("run-12", True),
        ("the store", True),
    ]


def test_only_the_worker_can_read_it(store):
    with store.writing(PLACE):
        pass

    folders = [store.root, *store.path(PLACE).parents[:2], store.path(PLACE)]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_what_dead_attempts_left_is_removed_and_complete_places_stay(store):
    with store.writing("run-1/job-2/fence-3"):
        pass
    unfinished = store.path("run-1/job-2/fence-4.tmp")
    (unfinished / "dump").mkdir(parents=True)
    (unfinished / "dump" / "toc.dat").write_text("half of")
    (store.path("run-1/job-9") / "fence-5.tmp").mkdir(parents=True)

    assert store.remove_partial("run-1/job-2") == 1

    assert store.complete("run-1/job-2") == ["run-1/job-2/fence-3"]
    assert not unfinished.exists()
    assert store.path("run-1/job-9/fence-5.tmp").exists()  # another job's
    assert store.remove_partial("run-1/job-7") == 0


def test_the_newest_place_comes_first(store):
    for fence in (9, 10, 11):
        with store.writing(f"run-1/job-2/fence-{fence}"):
            pass
        os.utime(store.path(f"run-1/job-2/fence-{fence}"), (fence, fence))

    assert store.complete("run-1/job-2") == [f"run-1/job-2/fence-{fence}" for fence in (11, 10, 9)]
    assert store.complete("run-1/job-3") == []


def test_a_place_can_be_removed(store):
    with store.writing(PLACE) as folder:
        (folder / "toc.dat").write_text("contents")

    store.remove(PLACE)

    assert store.complete("run-12/job-34") == []


def test_a_place_that_is_taken_is_not_written_over(store):
    with store.writing(PLACE) as folder:
        (folder / "toc.dat").write_text("first")

    with pytest.raises(ArtifactsNotWritable), store.writing(PLACE) as folder:
        (folder / "toc.dat").write_text("second")

    assert (store.path(PLACE) / "toc.dat").read_text() == "first"
    assert everything(store) == {f"{PLACE}/toc.dat"}


@pytest.mark.parametrize("place", ["", ".", "..", "/etc", "run-1/../../etc", "../store", "run-1/..", "a\0b"])
def test_no_place_leaves_the_store(store, place):
    with pytest.raises(PlaceOutside):
        store.path(place)
    with pytest.raises(PlaceOutside), store.writing(place):
        pass


def test_no_link_leads_out_of_the_store(store, tmp_path):
    (tmp_path / "elsewhere" / "job-2").mkdir(parents=True)
    store.root.mkdir()
    (store.root / "run-1").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(PlaceOutside):
        store.remove("run-1/job-2")

    assert (tmp_path / "elsewhere" / "job-2").exists()


def test_a_store_is_made_tried_and_left_as_it_was(store):
    store.require_writable()
    store.require_writable()

    assert stat.S_IMODE(store.root.stat().st_mode) == 0o700
    assert list(store.root.iterdir()) == []
    assert store.free_bytes() > 0


def test_a_store_whose_parent_is_missing_is_not_made(tmp_path):
    with pytest.raises(ArtifactsNotWritable, match="No such file or directory"):
        Artifacts(tmp_path / "not mounted" / "store").require_writable()

    assert not (tmp_path / "not mounted").exists()


def test_a_store_that_is_no_folder_is_refused(store):
    store.root.write_text("a file")

    with pytest.raises(ArtifactsNotWritable):
        store.require_writable()
    with pytest.raises(ArtifactsNotWritable), store.writing(PLACE):
        pass


@pytest.mark.parametrize(
    ("number", "refusal"),
    [
        (errno.ENOSPC, ArtifactsFull),
        (errno.EDQUOT, ArtifactsFull),
        (errno.EFBIG, ArtifactsFull),
        (errno.EIO, ArtifactsNotWritable),
        (errno.EROFS, ArtifactsNotWritable),
    ],
)
def test_what_the_system_refuses_is_told_as_what_it_is(store, monkeypatch, number, refusal):
    def fsync(_handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)

    with pytest.raises(refusal, match=os.strerror(number)):
        store.require_writable()
    with pytest.raises(refusal, match=os.strerror(number)), store.writing(PLACE) as folder:
        (folder / "toc.dat").write_text("contents")
    assert everything(store) == set()


def test_a_store_that_reads_differently_than_it_was_written_is_refused(store, monkeypatch):
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda _path: b"")

    with pytest.raises(ArtifactsNotWritable, match="reads differently"):
        store.require_writable()
