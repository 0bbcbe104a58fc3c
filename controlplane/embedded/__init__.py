"""The servers that local mode and the tests bring along: PostgreSQL and Redis as child processes, on loopback only.

`LocalServers` is what a command uses; `PostgresServer` and `RedisServer` stand alone, for tests and for
throwaway copies of a customer's database.
"""

from controlplane.embedded.binaries import PostgresBinaries, find_postgres, find_redis
from controlplane.embedded.errors import (
    AlreadyStarted,
    CannotLeaveRoot,
    DatabaseHalfGiven,
    FolderNotOurs,
    InitialisationFailed,
    LeftoverDoesNotEnd,
    OtherDataVersion,
    PasswordMissing,
    PortTaken,
    PostgresNotFound,
    ProgramUnusable,
    RedisNotFound,
    ServerDidNotStart,
    ServerEnded,
    ServerNotRunning,
)
from controlplane.embedded.identity import Identity, unprivileged
from controlplane.embedded.local import LocalServers
from controlplane.embedded.postgres import PostgresServer, StopMode
from controlplane.embedded.redis import RedisServer

__all__ = [
    "AlreadyStarted",
    "CannotLeaveRoot",
    "DatabaseHalfGiven",
    "FolderNotOurs",
    "Identity",
    "InitialisationFailed",
    "LeftoverDoesNotEnd",
    "LocalServers",
    "OtherDataVersion",
    "PasswordMissing",
    "PortTaken",
    "PostgresBinaries",
    "PostgresNotFound",
    "PostgresServer",
    "ProgramUnusable",
    "RedisNotFound",
    "RedisServer",
    "ServerDidNotStart",
    "ServerEnded",
    "ServerNotRunning",
    "StopMode",
    "find_postgres",
    "find_redis",
    "unprivileged",
]
