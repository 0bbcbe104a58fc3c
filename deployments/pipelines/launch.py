"""Starting an executor as a process of its own, which outlives whoever started it."""

import subprocess
import sys

from django.conf import settings


def launch(job_id: int) -> subprocess.Popen[bytes]:
    """Start the executor of a job and return its process; safe to call at any time, any number of times.

    It gets a session of its own: a killed worker or dispatcher leaves it running, and a killed Celery pool child never
    sits inside a COMMIT (E8 of the reliability study).
    """
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "execute_job", str(job_id)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
