"""What a target refuses, and what is refused about a target. No text holds a password."""

from collections.abc import Sequence
from typing import Self

from checks.model.saved import NUMBERS_PER_MAJOR
from deployments.errors import DeploymentError

NOTHING = "Nothing more was changed there."


class SecretMissing(DeploymentError):
    """The reference to a connection leads nowhere."""

    code = "secret-missing"

    def __init__(self, *, reference: str) -> None:
        super().__init__(
            f"The connection {reference} cannot be read on this worker. The database was not contacted. "
            "Set the variable or mount the file where the worker runs, then try again."
        )


class SecretUnusable(DeploymentError):
    """What the reference leads to is no connection string."""

    code = "secret-unusable"

    def __init__(self, *, reference: str) -> None:
        super().__init__(
            f"The connection {reference} does not hold a PostgreSQL connection string. The database was not contacted. "
            "Write it as postgresql://user:password@host:port/database."
        )


class ConnectionOfPrisma(DeploymentError):
    """The connection string says something in Prisma's way that PostgreSQL's library says in another."""

    code = "connection-of-prisma"

    def __init__(self, *, reference: str, option: str, instead: str) -> None:
        super().__init__(
            f"The connection {reference} has the option {option}, which only Prisma understands. The database was not "
            f"contacted. {instead} Correct the connection string, then try again."
        )


class TargetUnreachable(DeploymentError):
    """No session with the target could be opened, and it is not known more exactly why."""

    code = "target-unreachable"

    def __init__(self, *, target: str, detail: str) -> None:
        super().__init__(
            f"{target} cannot be reached: {detail}. Nothing more was changed there. "
            "Check host, port and the network from the worker."
        )

    @classmethod
    def by(cls, cut: Exception, *, target: str) -> Self:
        """Return any broken link as this refusal. Only the server's words are shown: the driver may quote a secret."""
        if isinstance(cut, cls):
            return cut
        said = getattr(getattr(cut, "diag", None), "message_primary", None)
        return cls(target=target, detail=said or "the connection was lost")


class NoConnectionLeft(TargetUnreachable):
    """The server is there, and has no connection left for this role."""

    code = "too-many-clients"

    def __init__(self, *, target: str) -> None:
        DeploymentError.__init__(
            self,
            f"{target} has no connection left for the role of Locktender. {NOTHING} From PostgreSQL 16 on "
            "reserved_connections keeps some back for roles with pg_use_reserved_connections. Run it again when "
            "sessions that idle there have ended.",
        )


class PasswordRefused(DeploymentError):
    """The target does not let this role in."""

    code = "target-password-refused"

    def __init__(self, *, target: str) -> None:
        super().__init__(
            f"{target} refused the role or its password. {NOTHING} Correct the secret that the connection refers to."
        )


class DatabaseMissing(DeploymentError):
    """The server has no database of that name."""

    code = "target-database-missing"

    def __init__(self, *, target: str) -> None:
        super().__init__(f"{target} names a database its server does not have. {NOTHING} Correct the connection.")


class TlsFailed(DeploymentError):
    """TLS as the connection asks for it could not be had."""

    code = "target-tls"

    def __init__(self, *, target: str, detail: str) -> None:
        super().__init__(
            f"{target} cannot be reached over TLS as its connection asks: {detail}. {NOTHING} "
            "Correct sslmode and certificates of the connection, or the server's."
        )


class TargetStandby(DeploymentError):
    """The target is a standby."""

    code = "target-in-recovery"

    def __init__(self, *, target: str) -> None:
        super().__init__(
            f"{target} is in recovery and cannot be written to. {NOTHING} Point the connection to the primary."
        )


class PoolerBetween(DeploymentError):
    """A pooler stands between worker and target."""

    code = "pooler-between"

    def __init__(self, *, target: str) -> None:
        super().__init__(
            f"A connection pooler stands before {target}: it would hand session settings and locks to other clients. "
            f"{NOTHING} Give Locktender a direct connection to the server."
        )


class ServerTooOld(DeploymentError):
    """The server is older than what is supported."""

    code = "server-too-old"

    def __init__(self, *, target: str, version: int) -> None:
        super().__init__(
            f"{target} is PostgreSQL {version // NUMBERS_PER_MAJOR}; 14 is the oldest supported. {NOTHING} "
            "Upgrade the server."
        )


class TargetLocked(DeploymentError):
    """The target could not be read, because something in it stays locked."""

    code = "target-locked"

    def __init__(self, *, target: str, left: str = NOTHING) -> None:
        super().__init__(
            f"{target} could not be read in time: another session keeps an object locked, or the server is busy. "
            f"{left} Wait until that session is done, or end it, then try again."
        )


class HistoryNotTable(DeploymentError):
    """Where a tool keeps what is applied, there is something else: to read it would run what its maker wrote."""

    code = "history-not-a-table"

    def __init__(self, *, target: str, name: str) -> None:
        super().__init__(
            f"{target}: {name}, where the layout's tool keeps what is applied, is no table. It was not read, because "
            f"reading a view runs what its maker wrote. Nothing was changed. Check who made it, then drop or rename it."
        )


class PrivilegeMissing(DeploymentError):
    """The role lacks a right it needs."""

    code = "privilege-missing"

    def __init__(self, *, target: str, what: str, remedy: str) -> None:
        super().__init__(f"The role of {target} may not {what}. {NOTHING} As an administrator there, run: {remedy}")


class LayoutUnfinished(DeploymentError):
    """The layout's own tool began a migration and did not finish it."""

    code = "layout-unfinished"

    def __init__(self, *, target: str, names: Sequence[str]) -> None:
        super().__init__(
            f"In Prisma's history of {target} these were begun and never finished: {', '.join(names)}. Prisma refuses "
            f"to go on (P3009), and so does Locktender. {NOTHING} See what they left there and complete it or undo it. "
            f"Then run: prisma migrate resolve --applied {names[0]}, or with --rolled-back if nothing of it is left."
        )


class TargetSchemaMissing(DeploymentError):
    """The schema `locktender` is not in the target, or is not ours to use."""

    code = "target-schema-missing"

    def __init__(self, *, target: str, sql: str) -> None:
        self.sql = sql
        super().__init__(
            f"{target} has no schema locktender, which keeps its history and its fence. {NOTHING} "
            f"As the role that migrates, run this once there:\n{sql}"
        )


class SchemaAlreadyThere(DeploymentError):
    """The target has the schema `locktender`, with the history in it."""

    code = "schema-already-there"

    def __init__(self, *, target: str) -> None:
        super().__init__(
            f"{target} has the schema locktender already, with the history of what was applied. {NOTHING} "
            f"Never drop it. If this is a copy of another database, re-adopt it: manage.py adopt {target}"
        )


class SchemaNotCreated(DeploymentError):
    """The schema `locktender` could not be created."""

    code = "schema-not-created"

    def __init__(self, *, target: str, reason: str) -> None:
        super().__init__(
            f"The schema locktender was not created in {target}: {reason}. {NOTHING} "
            "Run the printed SQL as a role that may create schemas there, or drop what is in the way."
        )


class OtherControlPlane(DeploymentError):
    """Another installation of Locktender manages the target."""

    code = "other-control-plane"

    def __init__(self, *, target: str) -> None:
        super().__init__(
            f"{target} is managed by another installation of Locktender. {NOTHING} "
            "Run migrations from that one, or end its management first."
        )


class CopiedDatabase(DeploymentError):
    """The target carries the mark of another database: it is a copy."""

    code = "copied-database"

    def __init__(self, *, target: str, marked: str, found: str) -> None:
        super().__init__(
            f"{target} is a copy: it is marked as {marked}, but is {found}. Its history is that of the original, so it "
            f"is not trusted. {NOTHING} Re-adopt it: manage.py adopt {target}"
        )


class FenceLost(DeploymentError):
    """Another executor has taken over; this one must stop."""

    code = "fence-lost"

    def __init__(self, *, target: str, fence: int) -> None:
        super().__init__(
            f"Another executor has taken over {target}: fence {fence} is no longer the highest. This executor wrote "
            "nothing more there. Nothing is to be done: the other one goes on."
        )


class FenceAhead(DeploymentError):
    """The target knows more than the control database: a fence it never gave out, or history of jobs it never ran."""

    code = "fence-ahead"

    def __init__(self, *, target: str, knows: str) -> None:
        super().__init__(
            f"{target} {knows}: the control database may have been restored from an older backup. {NOTHING} "
            f"See what the target knows, then re-adopt it: manage.py adopt {target}"
        )
