"""A real browser, and the real application behind a real port, on this test's own database.

Without Chromium these tests are skipped, and where CI is set they fail.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

import pytest
from django.core.servers.basehttp import ThreadedWSGIServer
from django.core.wsgi import get_wsgi_application
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from deployments.models import User
from tests.browser.looks import DESKTOP
from tests.deployments.cast import Cast, assemble
from tests.static_files import static_files

__all__ = ["static_files"]

WHERE = "PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH"
# The first is Chromium without the windows of a browser: a third of the work, and twice as fast.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 15_000  # a limit, not an expectation: a busy machine is slow

Visit = Callable[..., Page]


def chromium() -> str:
    """Return where the browser is."""
    found = os.environ.get(WHERE) or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        complain = pytest.fail if os.environ.get("CI") else pytest.skip
        complain(f"needs Chromium: install Debian's package `chromium-headless-shell` or `chromium`, or set {WHERE}")
    return found


@pytest.fixture(autouse=True)
def any_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has counted the tables of these worlds, and a change of them in one piece is no matter of their pages."""
    monkeypatch.setattr("deployments.services.draft.plain_rows_limit", lambda *_, **__: None)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A browser for the tests of this folder."""
    where = chromium()
    expect.set_options(timeout=WAIT_MS)
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright leaves an event loop in this thread, and Django would refuse to use the database beside it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        opened = playwright.chromium.launch(executable_path=where, args=ARGUMENTS)
        yield opened
        opened.close()


class Quiet(WSGIRequestHandler):
    """Answers without a line per request."""

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


class Site:
    """The application on a port. `stop` and `start` are what a person sees of a broken line."""

    def __init__(self) -> None:
        self.port = 0
        self.application = get_wsgi_application()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.server = ThreadedWSGIServer(("127.0.0.1", self.port), Quiet)
        self.server.daemon_threads = True
        self.server.set_app(self.application)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def cast(database: str) -> Cast:
    """Everybody, and the application they work on."""
    return assemble()


@pytest.fixture
def site(database: str, static_files: Path) -> Iterator[Site]:
    """The application, as production serves it."""
    served = Site()
    yield served
    served.stop()


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visit]:
    """Return a function that opens a page as somebody, in a window of a size, in a theme."""
    opened: list[BrowserContext] = []

    def open_page(
        path: str,
        person: User | None = None,
        *,
        size: tuple[int, int] = DESKTOP,
        theme: str = "light",
        **options: Any,
    ) -> Page:
        width, height = size
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            base_url=site.url,
            timezone_id="Europe/Berlin",
            reduced_motion="reduce",
            **options,
        )
        opened.append(context)
        context.set_default_timeout(WAIT_MS)
        if person is not None:
            client = Client()
            client.force_login(person)
            context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site.url}])
        page = context.new_page()
        page.faults = []
        page.on("console", lambda said: page.faults.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.goto(path)
        return page

    yield open_page
    for context in opened:
        context.close()
