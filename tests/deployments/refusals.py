"""How a test says that the database itself refuses something."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, connections, transaction


@contextmanager
def refused_by(constraint: str, *, using: str = "default") -> Iterator[None]:
    """Expect a refusal that names this constraint; what was done inside is undone."""
    with pytest.raises(IntegrityError) as refusal, transaction.atomic(using=using):
        yield
        connections[using].cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert refusal.value.__cause__.diag.constraint_name == constraint


@contextmanager
def not_permitted() -> Iterator[None]:
    """Expect that the application's role lacks the privilege."""
    with pytest.raises(DatabaseError) as refusal, transaction.atomic():
        yield
    assert isinstance(refusal.value.__cause__, psycopg.errors.InsufficientPrivilege)
