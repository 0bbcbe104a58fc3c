"""A dump that does not come about: said why, in bounded time, and nothing of it left running."""

import errno
import os
import signal
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from deployments.artifacts import Artifacts, ArtifactsFull
from deployments.postgres.backup import dump as dumping
from deployments.postgres.backup.dump import BackupFailed
from deployments.postgres.connect import Holder, session
from deployments.postgres.guard import Budget
from deployments.postgres.programs import ConnectionNotPortable, running
from deployments.postgres.sessions import end_predecessors
from deployments.postgres.stopped import CancelledOnRequest, GuardLost, OverBudget
from tests.postgres.conftest import PASSWORD
from tests.postgres.dumps import client_in, dumped, newest, processes
from tests.postgres.places import Stopper


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Locks are held here to stop the time; where it is about the waiting, a test says so."""
    monkeypatch.setattr(dumping, "LOCK_WAIT_MILLISECONDS", 60_000)


@pytest.fixture
def ledger(place):
    """A place with a table of some hundred kilobytes that do not compress."""
    place.do("CREATE TABLE ledger AS SELECT sha512(number::text::bytea) hash FROM generate_series(1, 5000) number")
    return place


@pytest.fixture
def blocked(ledger, tmp_path, meanwhile, eventually):
    """A dump that waits for a lock, and the folder it writes to."""
    blocker = ledger.connect("importer")
    blocker.execute("BEGIN; LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")
    stop, folder = Stopper(), tmp_path / "dump"
    work = meanwhile(dumped, ledger, folder, stop=stop)
    eventually(lambda: ledger.sessions("wait_event_type = 'Lock'"))
    yield work, stop, folder
    stop.asked.set()
    with suppress(psycopg.OperationalError):
        blocker.execute("ROLLBACK")


def running_on(folder: Path) -> dict:
    return processes("pg_dump", f"--file={folder}")


def test_a_lock_is_waited_for_briefly_and_who_holds_it_is_named(ledger, tmp_path, monkeypatch):
    monkeypatch.setattr(dumping, "LOCK_WAIT_MILLISECONDS", 3000)
    ledger.connect("importer").execute("BEGIN; LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")
    lines = []

    with pytest.raises(BackupFailed, match=r"within 3 s: ledger is held by pid \d+ \(package_migrator, importer, idle"):
        dumped(ledger, tmp_path / "dump", log=lines.append)

    assert "pg_dump waits for a lock: ledger is held by pid" in lines[0]
    assert not running_on(tmp_path / "dump")
    assert ledger.sessions() == []


def test_a_cancelled_dump_ends_its_processes_and_its_sessions(ledger, blocked, eventually):
    work, stop, folder = blocked
    assert running_on(folder)

    stop.asked.set()

    with pytest.raises(CancelledOnRequest):
        work.result(timeout=60)
    assert not running_on(folder)
    eventually(lambda: not ledger.sessions())


def test_a_takeover_ends_the_dump_of_the_one_before(ledger, blocked, eventually):
    work, _, folder = blocked

    with session(ledger.target, name="locktender/job=7/fence=4") as successor:
        ended = end_predecessors(successor, ledger.target, Holder(run=1, job=7, fence=4))

    assert ended == 3  # the one that exports, pg_dump's, and the guard's
    with pytest.raises((BackupFailed, GuardLost, psycopg.OperationalError)):
        work.result(timeout=60)
    eventually(lambda: not running_on(folder))


def test_a_dump_that_holds_up_the_application_is_stopped_with_a_bill(ledger, tmp_path, meanwhile, eventually):
    """It has the lock on one table while it waits for the next; behind one TRUNCATE, who only reads waits too."""
    ledger.do("CREATE TABLE other (id int)")
    importer = ledger.connect("importer")
    importer.execute("BEGIN; LOCK TABLE other IN ACCESS EXCLUSIVE MODE")
    folder, store = tmp_path / "store" / "run-1", Artifacts(tmp_path / "store")
    budget = Budget(oldest_seconds=60, total_seconds=600, sessions=1)

    def dump_into_the_store() -> None:
        with store.writing("run-1/job-7/fence-3") as written:
            dumped(ledger, written / "dump", budget=budget)

    work = meanwhile(dump_into_the_store)
    held = "mode = 'AccessShareLock' AND relation = 'ledger'::regclass"
    dumping = f"pid IN (SELECT pid FROM pg_locks WHERE granted AND {held}) AND wait_event_type = 'Lock'"
    eventually(lambda: ledger.sessions(dumping))
    truncate = meanwhile(ledger.connect("nightly").execute, "TRUNCATE ledger")
    queued = "SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
    eventually(lambda: ledger.rows(f"{queued} AND relation = 'ledger'::regclass"))
    reader = meanwhile(ledger.connect("checkout").execute, "SELECT count(*) FROM ledger WHERE hash <> 'secret'")

    with pytest.raises(OverBudget) as stopped:
        work.result(60)
    truncate.result(30)
    assert reader.result(30).fetchall() == [(0,)]
    told, bill = str(stopped.value), stopped.value.evidence["bill"]
    assert told.startswith(
        "Nothing changed. The dump was cancelled, because it held up the application: 2 sessions × "  # noqa: RUF001
    )
    assert [one["table"] for one in bill["tables"]] == ["public.ledger"]
    # Who was seen before its query was is charged as "not told", for the length of one look.
    assert {one["query"] for one in bill["queries"]} - {"not told"} == {
        "TRUNCATE ledger",
        "SELECT count(*) FROM ledger WHERE hash <> ?",
    }
    assert bill["applications"] == ["checkout", "nightly"]
    assert not processes("pg_dump", str(folder))
    assert [path for path in store.root.rglob("*") if path.is_file() or path.suffix == ".tmp"] == []
    assert store.complete("run-1/job-7") == []
    eventually(lambda: not ledger.sessions())
    assert importer.execute("SELECT 1").fetchone() == (1,)  # who was in its way is not what was ended


def test_a_killed_pg_dump_is_told_as_such(blocked):
    work, _, folder = blocked
    (program,) = [pid for pid, (command, _) in running_on(folder).items() if "leash" not in command]

    os.kill(program, signal.SIGKILL)

    with pytest.raises(BackupFailed, match="it ended with status 137"):
        work.result(timeout=60)


def test_a_table_that_may_not_be_read_is_named_and_no_secret_with_it(ledger, tmp_path):
    ledger.administer("CREATE TABLE payroll (id int)")

    with pytest.raises(BackupFailed, match="permission denied for table payroll") as refused:
        dumped(ledger, tmp_path / "dump")

    assert PASSWORD not in str(refused.value)
    assert not running_on(tmp_path / "dump")


def test_rows_that_a_policy_hides_are_no_dump_of_what_is_left(ledger, tmp_path):
    ledger.administer(
        "CREATE TABLE hidden (id int)",
        "ALTER TABLE hidden ENABLE ROW LEVEL SECURITY",
        "GRANT SELECT ON hidden TO package_migrator",
    )

    with pytest.raises(BackupFailed, match="row-level security"):
        dumped(ledger, tmp_path / "dump")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_disk_that_takes_no_more_is_told_and_nothing_is_left(ledger, tmp_path, jobs):
    limited = client_in(tmp_path / "bin", pg_dump=f'ulimit -f 50\nexec "{newest().pg_dump}" "$@"')
    store = Artifacts(tmp_path / "store")
    with pytest.raises(ArtifactsFull, match="File too large"), store.writing("run-1/job-7/fence-3") as folder:
        dumped(ledger, folder / "dump", client=limited, jobs=jobs)

    assert store.complete("run-1/job-7") == []
    assert [path for path in store.root.rglob("*") if path.is_file() or path.suffix == ".tmp"] == []
    assert ledger.rows("SELECT count(*) FROM ledger") == [(5000,)]


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("pg_dump: error: could not write to file: No space left on device", errno.ENOSPC),
        ("pg_dump: error: could not close TOC file: Disk quota exceeded", errno.EDQUOT),
        ("pg_dump:pg_dump: error: could not write to output file: File too large", errno.EFBIG),
    ],
)
def test_a_full_disk_is_recognised_by_what_pg_dump_says(ledger, tmp_path, message, number):
    full = client_in(tmp_path / "bin", pg_dump=f"echo '{message}' >&2; echo 'pg_dump: terminated by user' >&2; exit 1")

    with pytest.raises(OSError, match=os.strerror(number)) as refused:
        dumped(ledger, tmp_path / "dump", client=full)

    assert refused.value.errno == number


def test_a_full_disk_of_the_server_is_not_ours(ledger, tmp_path):
    said = 'pg_dump: error: query failed: ERROR:  could not write to file "base/pgsql_tmp/1": No space left on device'
    full = client_in(tmp_path / "bin", pg_dump=f"echo '{said}' >&2; exit 1")

    with pytest.raises(BackupFailed, match="pgsql_tmp"):
        dumped(ledger, tmp_path / "dump", client=full)


def test_a_secret_that_pg_dump_would_repeat_is_taken_out(ledger, tmp_path):
    talkative = client_in(tmp_path / "bin", pg_dump=f"echo 'pg_dump: error: no luck with {PASSWORD} here' >&2; exit 1")

    with pytest.raises(BackupFailed, match="no luck with … here"):
        dumped(ledger, tmp_path / "dump", client=talkative)


def test_a_program_that_cannot_be_run_is_a_refusal_too(ledger, tmp_path):
    broken = client_in(tmp_path / "bin", pg_dump="")
    broken.pg_dump.write_text("#!/nowhere/sh\n")

    with pytest.raises(BackupFailed, match="it cannot be run"):
        dumped(ledger, tmp_path / "dump", client=broken)


def test_a_value_that_no_file_can_carry_is_refused(ledger, tmp_path, monkeypatch):
    url = psycopg.conninfo.make_conninfo(ledger.url, options="-c search_path=public\n")
    monkeypatch.setenv(ledger.target.connection.removeprefix("env:"), url)

    with pytest.raises(ConnectionNotPortable, match="The options in the connection of shop/staging/main"):
        dumped(ledger, tmp_path / "dump")


def test_a_program_ends_with_everything_it_has_started(tmp_path, eventually):
    mark = f"{tmp_path}/sleeper"
    Path(mark).symlink_to("/bin/sleep")

    with running(Path("/bin/sh"), ["-c", f"{mark} 600 & {mark} 600"], files={}) as program:
        eventually(lambda: len(processes(mark, "600")) >= 2)

    assert not processes(mark, "600")
    assert not program.said


def test_a_program_that_ends_leaves_none_of_its_own_behind(tmp_path):
    mark = f"{tmp_path}/sleeper"
    Path(mark).symlink_to("/bin/sleep")

    with running(Path("/bin/sh"), ["-c", f"{mark} 600 >&- 2>&- & exit 3"], files={}) as program:
        status = program.wait(Stopper())

    assert status == 3
    assert not processes(mark, "600")
