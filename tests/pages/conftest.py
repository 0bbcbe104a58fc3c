"""Pages as Django's test client gets them, by everybody of the cast."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from deployments.models import User
from tests.deployments.cast import Cast, assemble
from tests.static_files import static_files

__all__ = ["static_files"]

SignIn = Callable[[User | None], Client]


@pytest.fixture(autouse=True)
def any_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has counted the tables of these worlds, and a change of them in one piece is no matter of their pages."""
    monkeypatch.setattr("deployments.services.draft.plain_rows_limit", lambda *_, **__: None)


@pytest.fixture
def cast(database: str) -> Cast:
    """Everybody, and the application they work on."""
    return assemble()


@pytest.fixture
def browse(database: str, static_files: Path) -> SignIn:
    """Return a client for a person, or for nobody. An error of a view is answered, as in production."""

    def client(person: User | None = None) -> Client:
        made = Client(raise_request_exception=False, enforce_csrf_checks=False)
        if person is not None:
            made.force_login(person)
        return made

    return client
