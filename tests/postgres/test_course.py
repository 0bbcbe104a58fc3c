"""How far a restore is: counted, or as it took before, else not told; and packing what is still written."""

import threading
from types import SimpleNamespace

import pytest

from deployments.postgres.backup import course as courses
from deployments.postgres.backup import packer
from deployments.postgres.backup.course import Course, Phase
from deployments.postgres.backup.measure import Limits, Sample, Table, to_hash
from deployments.postgres.backup.packer import Packing
from deployments.postgres.backup.packing import END_OF_ROWS, Damaged, unpacked
from deployments.postgres.progress import Doing
from tests.postgres.places import Stopper

FILES = {
    "dump/toc.dat.zst": {"plain_bytes": 100},
    "dump/7.dat.zst": {"plain_bytes": 300},
    "dump/8.dat.zst.enc": {"plain_bytes": 700},
}
ROWS = {'"public"."a"': 30, '"public"."b"': 70}


def copying(size: int) -> Doing:
    return Doing(9, "COPY FROM", "public.b", "copies rows", 5, None, "rows", False, size, "client", "", 1.0)  # noqa: FBT003


@pytest.fixture
def clock(monkeypatch):
    """A clock in the hands of the test."""
    now = [1000.0]
    monkeypatch.setattr(courses.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def told():
    return []


def last(told) -> dict:
    return told[-1]["restoring"]


def test_bytes_of_finished_tables_and_of_those_under_way_are_counted_and_never_go_back(clock, told):
    course = Course(told.append, FILES, ROWS, jobs=2)
    course.begin(Phase.ROWS)
    assert (last(told)["done"], last(told)["total"]) == (0, 1000)

    course.finished("7")
    clock[0] += 2
    course.look(lambda: [copying(500)])
    assert last(told)["done"] == 800
    clock[0] += 2
    course.look(list)  # the server says nothing
    assert last(told)["done"] == 800

    course.finished("8")
    clock[0] += 2
    course.look(list)
    assert (last(told)["phase"], last(told)["total"]) == ("indexes", None)


def test_the_time_left_is_that_of_before_until_it_takes_longer(clock, told):
    course = Course(told.append, FILES, ROWS, {"unpack": 10, "restore": 100, "compare": 50}, jobs=2)
    course.begin(Phase.UNPACK)
    assert last(told)["left_seconds"] == 160

    course.begin(Phase.ROWS)
    clock[0] += 40
    course.finished("7")
    course.finished("8")
    clock[0] += 40
    course.look()
    assert (last(told)["phase"], last(told)["left_seconds"]) == ("indexes", 70)
    clock[0] += 30
    course.look()
    assert last(told)["left_seconds"] is None  # longer than before: nobody knows


def test_without_a_before_only_what_is_counted_has_a_pace_and_only_after_a_while(clock, told):
    course = Course(told.append, FILES, ROWS, jobs=2)
    course.begin(Phase.COMPARE)
    course.add(1)
    clock[0] += 60
    course.look()
    assert last(told)["phase_left_seconds"] is None  # one row of a hundred says nothing

    course.add(49)
    clock[0] += 2
    course.look()
    assert (last(told)["phase_left_seconds"], last(told)["left_seconds"]) == (62, None)


def test_a_single_worker_does_not_say_what_it_finished_so_that_no_share_is_told(clock, told):
    course = Course(told.append, FILES, ROWS, jobs=1)

    course.begin(Phase.ROWS)

    assert (last(told)["total"], last(told)["phase_left_seconds"]) == (None, None)


def test_above_the_limit_tables_are_hashed_from_the_smallest_on_and_the_rest_by_a_sample():
    small, middle, big, keyless = (Table(oid, "s", f"t{oid}", 0, size) for oid, size in enumerate((10, 20, 500, 600)))
    keys = {0: ["id"], 2: ["a", "b"]}
    tables = [big, keyless, middle, small]

    assert to_hash(tables, keys, size_bytes=30, limits=Limits(30, 90)) == (set(tables), {})
    whole, samples = to_hash(tables, keys, size_bytes=80, limits=Limits(30, 90))
    assert (whole, samples) == ({small, middle}, {big: Sample(("a", "b"))})  # of the keyless one nothing is hashed
    assert to_hash(tables, keys, size_bytes=100, limits=Limits(30, 90)) == (set(), {})


WAITED = threading.Event()


class Watched(threading.Event):
    """An event that tells when somebody waits for it."""

    def wait(self, timeout: float | None = None) -> bool:
        WAITED.set()
        return super().wait(timeout)


@pytest.fixture
def packing(tmp_path, monkeypatch):
    """A packer for which everything is big."""
    WAITED.clear()
    threads = SimpleNamespace(Event=Watched, Lock=threading.Lock, Thread=threading.Thread)
    monkeypatch.setattr(packer, "threading", threads)
    monkeypatch.setattr(packer, "BIG_BYTES", 10)
    folder = tmp_path / "dump"
    folder.mkdir()
    packing = Packing(folder, jobs=1)
    yield packing, folder
    packing.close()


def test_a_big_table_is_packed_while_it_is_written_to_its_last_byte(packing):
    packing, folder = packing
    with (folder / "5.dat").open("wb") as file:
        file.write(b"1\tfirst\n" * 100)
        file.flush()
        packing.look()
        packing.look()  # seen twice, packed once
        assert WAITED.wait(20)  # it has read all that is there, and waits for more
        file.write(b"2\tlater\n" * 100 + END_OF_ROWS)
    packing.hear("pg_dump: finished item 5 TABLE DATA big")

    facts = packing.finish(Stopper())

    assert list(facts) == ["dump/5.dat.zst"]
    content = b"".join(unpacked(folder / "5.dat.zst", "dump/5.dat.zst", facts["dump/5.dat.zst"], seal=None))
    assert content == b"1\tfirst\n" * 100 + b"2\tlater\n" * 100 + END_OF_ROWS
    assert not (folder / "5.dat").exists()


def test_a_table_that_was_cut_off_while_it_was_written_is_refused(packing):
    packing, folder = packing
    (folder / "5.dat").write_bytes(b"1\tfirst\n" * 100)
    packing.look()
    packing.hear("pg_dump: finished item 5 TABLE DATA big")

    with pytest.raises(Damaged, match="does not end as the rows of a table do"):
        packing.finish(Stopper())

    assert not (folder / "5.dat.zst").exists()


def test_who_gives_up_leaves_no_thread_that_waits_for_more(packing):
    packing, folder = packing
    (folder / "5.dat").write_bytes(b"1\tfirst\n" * 100)
    packing.look()

    packing.close()

    assert not any(thread in threading.enumerate() for thread in packing._threads)  # noqa: SLF001
    assert (folder / "5.dat").exists()
