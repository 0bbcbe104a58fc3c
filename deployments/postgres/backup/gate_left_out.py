"""Restoring without the gate: only a superuser can make it, and a restore by another role would end with an error."""

import re
from pathlib import Path

from deployments.postgres.clients import Client
from deployments.postgres.connect import Session
from deployments.postgres.programs import running
from deployments.postgres.stop import Stop

SUPERUSER = "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user"
_FUNCTION, _TRIGGER = r"FUNCTION gate\(\)", r"EVENT TRIGGER locktender_gate(_drops)?"
GATE = re.compile(
    r"\d+; \d+ \d+ (FUNCTION locktender gate\(\)|EVENT TRIGGER - locktender_gate(_drops)?"
    rf"|(ACL|COMMENT) (locktender {_FUNCTION}|- {_TRIGGER})) "
)


def list_without_gate(opened: Session, client: Client, dump: Path, *, stop: Stop) -> Path | None:
    """Return a list for pg_restore with everything in a dump but the gate; None where all of it can be restored.

    It is written beside the dump. What else only a superuser can restore stays in it: that ends the restore with a
    message of its own. Raises OSError, and what `stop` raises.
    """
    if opened.execute(SUPERUSER).fetchone() == (True,):
        return None
    path = dump.with_name(f"{dump.name}.contents")
    with running(client.pg_restore, ["--list", f"--file={path}", str(dump)], files={}) as reader:
        if reader.wait(stop) != 0:
            return None  # pg_restore itself will say what is wrong
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not GATE.match(line.decode("utf-8", errors="replace"))]
    if len(kept) == len(lines):
        return None
    path.write_bytes(b"".join(kept))
    return path
