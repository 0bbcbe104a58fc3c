"""Lives of a control database: a dump of it now, and the installation as it is after that dump was restored."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connections
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.postgres.dumps import newest
from tests.servers import SUPERUSER_URL


class Lives:
    """Dumps the control database of a test and restores it, as an operator would: with pg_dump and pg_restore."""

    def __init__(self, superuser, control: str, folder: Path) -> None:
        self.superuser = superuser
        self.control = control
        self.dump = folder / "control.dump"

    def back_up(self) -> None:
        self._run(newest().pg_dump, "--format=custom", f"--file={self.dump}")

    def restore(self) -> None:
        """Put the dump in the place of the control database: what was written since is lost."""
        with self.offline():
            name = sql.Identifier(self.control)
            self.superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
            self.superuser.execute(sql.SQL("CREATE DATABASE {} OWNER locktender_owner TEMPLATE template0").format(name))
            self._run(newest().pg_restore, str(self.dump))

    def _run(self, program: Path, *arguments: str) -> None:
        place = make_conninfo(os.environ[SUPERUSER_URL], dbname=self.control)
        subprocess.run([str(program), *arguments, f"--dbname={place}"], check=True, timeout=60)

    @contextmanager
    def offline(self) -> Iterator[None]:
        for connection in connections.all():
            connection.close()
        yield
