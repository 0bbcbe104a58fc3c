"""Why databases are not swapped. Each of these leaves the old or the new one complete, under the application's name."""

from collections.abc import Sequence

from deployments.errors import DeploymentError


class SwapNotAllowed(DeploymentError):
    """The role may not rename this database, or end the sessions in it."""

    code = "swap-not-allowed"

    def __init__(self, *, target: str, what: Sequence[str], remedy: Sequence[str]) -> None:
        super().__init__(
            f"{target} cannot be exchanged for a restored database: {'; '.join(what)}. Nothing was changed there. "
            f"Let an administrator run: {' '.join(remedy)}"
        )


class NoOtherDatabase(DeploymentError):
    """There is no database on the server from which this one could be renamed."""

    code = "no-other-database"

    def __init__(self, *, target: str) -> None:
        super().__init__(
            f"The role of {target} can enter no other database on its server, and no database can be renamed from "
            "within. Nothing was changed there. Let it connect to the database postgres."
        )


class SwapBlocked(DeploymentError):
    """Somebody is in the database, or in the new one, who does not go."""

    code = "swap-blocked"

    def __init__(self, *, target: str, blockers: Sequence[str]) -> None:
        super().__init__(
            f"{target} was not exchanged: {'; '.join(blockers)}. The application's database is where it was, "
            "complete and open. End what is named here, then ask for it again."
        )


class SwapUnknown(DeploymentError):
    """The databases do not have the names that a swap gives them."""

    code = "swap-unknown"

    def __init__(self, *, target: str, found: Sequence[str]) -> None:
        super().__init__(
            f"The databases of {target} are not called as a restore leaves them: {', '.join(found) or 'none is there'}"
            ". Somebody renamed one by hand, or another run did. Nothing was changed. Look at what each of them holds, "
            "then give the right one the application's name, or ask for a new run."
        )


class NameTaken(DeploymentError):
    """A database that is not of this run has a name that it needs."""

    code = "swap-name-taken"

    def __init__(self, *, target: str, name: str) -> None:
        super().__init__(
            f"The server of {target} has a database {name} already, and this run needs that name. Nothing was changed. "
            "Look at what it holds, then rename or drop it, and ask for it again."
        )


class KeptMissing(DeploymentError):
    """The database that was kept is not there any more."""

    code = "kept-database-missing"

    def __init__(self, *, target: str, name: str) -> None:
        super().__init__(
            f"The server of {target} has no database {name} any more, or another one has its name. Nothing was "
            "changed. It was kept for a while only: restore a backup instead."
        )


class PoolerRefused(DeploymentError):
    """The command that speaks to the pooler did not do what it was asked."""

    code = "pooler-refused"

    def __init__(self, *, target: str, phase: str, detail: str) -> None:
        super().__init__(
            f"The pooler command of {target} failed when it was told {phase!r}: {detail.rstrip('.')}. No database was "
            "renamed for it. Run it by hand to see why, then ask for it again."
        )
