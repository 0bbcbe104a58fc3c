"""The names of the databases of a swap. They say whose they are, so that the catalogue alone shows what happened."""

from dataclasses import dataclass

LONGEST_BYTES = 63  # of a name in PostgreSQL; it cuts what is longer, and then two names may be one


@dataclass(frozen=True, slots=True)
class SwapNames:
    """How the databases of one restoring job are called. `production` is the name that the application uses."""

    production: str
    job: int

    @property
    def kept(self) -> str:
        """The name under which the old database is kept."""
        return self._named(f"_before_restore_{self.job}")

    def ready(self, fence: int) -> str:
        """Return the name of the new database while the executor with this fence may swap it in."""
        return self._named(f"{self.readies}{fence}")

    @property
    def readies(self) -> str:
        """What the name of a new database has between that of the application's and the fence."""
        return f"_restored_{self.job}_"

    def fence_of(self, name: str) -> int | None:
        """Return the fence in the name of a new database of this job, None if it is not one."""
        fence = name.rpartition("_")[2]
        return int(fence) if fence.isascii() and fence.isdigit() and self.ready(int(fence)) == name else None

    def _named(self, end: str) -> str:
        room = LONGEST_BYTES - len(end.encode())
        return self.production.encode()[:room].decode(errors="ignore") + end
