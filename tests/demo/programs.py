"""The customer's service, in this process or one of its own, and requests to it."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import urllib3
from django.conf import settings

from demo.service.store import Store
from demo.service.web import Service

PATIENCE_SECONDS = 60


class Client:
    """Somebody who uses a service."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._pool = urllib3.PoolManager(retries=False, timeout=30)

    def ask(self, method: str, path: str, **given: Any) -> tuple[int, Any]:
        """Return the status and the JSON of an answer."""
        answer = self._pool.request(method, f"{self.url}{path}", **given)
        return answer.status, json.loads(answer.data)

    def health(self) -> tuple[int, Any]:
        return self.ask("GET", "/api/health")

    def buy(self, *, user: Any = 1, business: Any = 1, amount: Any = "20.00") -> tuple[int, Any]:
        return self.ask("POST", "/api/purchases", json={"user": user, "business": business, "amount": amount})

    def points(self, user: int) -> int:
        status, content = self.ask("GET", f"/api/balance/{user}")
        assert status == 200, content
        return content["points"]

    def close(self) -> None:
        self._pool.clear()


@contextmanager
def service(customer, version: str) -> Iterator[Client]:
    """Run the service of a version on a database for the length of the block, in this process."""
    store = Store(customer.application_url, version=version)
    store.warm()
    served = Service(0, store=store)
    thread = threading.Thread(target=served.serve_forever, args=[0.01])
    thread.start()
    client = Client(f"http://127.0.0.1:{served.server_port}")
    try:
        yield client
    finally:
        client.close()
        served.shutdown()
        thread.join()
        served.server_close()
        served.drain(seconds=PATIENCE_SECONDS)
        store.close()


@contextmanager
def program(module: str, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run a module for the length of the block, at most."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=settings.BASE_DIR,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Tell a process to end, and return its status and what it printed last."""
    process.terminate()
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, output


def eventually(condition: Callable[[], object]) -> None:
    """Look until the condition holds; fail when it does not for too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"still not: {condition}"
        time.sleep(0.05)
