"""Local mode without DEBUG: served as in production, but to a browser on this machine without TLS."""

import os
import re
import sys

import pytest
import urllib3

from controlplane import local
from controlplane.embedded.children import Children
from controlplane.embedded.processes import free_port
from controlplane.local import NotServing, product, serve, wait_until_ready

GIVEN = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")


def ask(port, path, **headers):
    return urllib3.request("GET", f"http://127.0.0.1:{port}{path}", headers=headers, timeout=30, retries=False)


@pytest.mark.timeout(300)
def test_a_product_without_debug_serves_hashed_files_and_lets_this_machine_sign_in(tmp_path, monkeypatch):
    for name in GIVEN:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DEBUG", "true")
    logs = tmp_path / "logs"
    logs.mkdir()
    port = free_port()

    with product(tmp_path, debug=False) as (_, environment), Children() as children:
        serve(children, environment, port, debug=False, logs=logs)
        wait_until_ready(children, port)
        page = ask(port, "/sign-in/")
        claims_tls = ask(port, "/sign-in/", **{"X-Forwarded-Proto": "https"})
        style = ask(port, re.search(rb'"(/static/css/[^"]+\.[0-9a-f]{12}\.css)"', page.data)[1].decode())

    assert "Secure" not in page.headers["Set-Cookie"]
    assert "Strict-Transport-Security" not in claims_tls.headers  # nobody in front: nobody is believed
    assert style.status == 200
    assert (tmp_path / "static" / "staticfiles.json").exists()
    assert {path.name for path in logs.iterdir()} == {"dispatcher.log", "worker.log", "web.log"}
    assert "Listening at" in (logs / "web.log").read_text()


def children_that(code):
    children = Children()
    children.start([sys.executable, "-c", code], known_by="-c", environment=os.environ, cwd=local.ROOT)
    return children


def test_waiting_for_pages_ends_when_a_process_does():
    children = children_that("raise SystemExit(3)")

    with pytest.raises(NotServing, match="a process ended with 3"):
        wait_until_ready(children, free_port())


def test_waiting_for_pages_has_an_end(monkeypatch):
    monkeypatch.setattr(local, "READY_SECONDS", 0.1)
    with children_that("import time; time.sleep(60)") as children, pytest.raises(NotServing, match="not ready within"):
        wait_until_ready(children, free_port())
