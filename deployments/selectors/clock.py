"""The time, as the control database has it: the only clock that decisions go by."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """Return the moment of this transaction, aware, as the database's CURRENT_TIMESTAMP gives it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_TIMESTAMP")
        now: datetime = cursor.fetchone()[0]
    return now
