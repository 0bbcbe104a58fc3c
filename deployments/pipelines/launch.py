"""Starting an executor, or an answer to a wish, as a process of its own, which outlives whoever started it."""

import subprocess
import sys

from django.conf import settings


def launch(job_id: int) -> subprocess.Popen[bytes]:
    """Start the executor of a job and return its process; safe to call at any time, any number of times.

    It gets a session of its own: a killed worker or dispatcher leaves it running, and a killed Celery pool child never
    sits inside a COMMIT (E8 of the reliability study).
    """
    return _launch("execute_job", job_id)


def launch_answer(request_id: int) -> subprocess.Popen[bytes]:
    """Start the answer to a wish about a target and return its process; safe to call any number of times."""
    return _launch("answer_request", request_id)


def launch_tending() -> subprocess.Popen[bytes]:
    """Start looking after the backups in the store and return its process; safe to call any number of times."""
    return _launch("tend_backups")


def launch_dropping(kept_id: int) -> subprocess.Popen[bytes]:
    """Start dropping a database that was kept after a restore and return its process; safe to call again."""
    return _launch("drop_kept", kept_id)


def launch_clearing(database_id: int) -> subprocess.Popen[bytes]:
    """Start dropping what dead executors left on a rehearsal server and return its process; safe to call again."""
    return _launch("drop_copies", database_id)


def _launch(command: str, *numbers: int) -> subprocess.Popen[bytes]:
    words = [sys.executable, str(settings.BASE_DIR / "manage.py"), command, *map(str, numbers)]
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)
