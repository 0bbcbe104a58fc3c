"""What each layout's own tool writes into the database, and how it is read: it decides what is applied."""

from deployments.postgres.history.base import Applied, LayoutHistory, require_still_open
from deployments.postgres.history.prisma import PrismaHistory
from deployments.postgres.history.sql_pairs import SqlPairsHistory

__all__ = ["HISTORIES", "Applied", "LayoutHistory", "PrismaHistory", "SqlPairsHistory", "require_still_open"]

HISTORIES: dict[str, LayoutHistory] = {"prisma": PrismaHistory(), "sql-pairs": SqlPairsHistory()}
