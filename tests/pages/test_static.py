"""Static files as production serves them: once, for long, and under names that change with their content."""

import re

import pytest


@pytest.fixture
def fetch(browse):
    """Return a function that fetches a file as a browser does, and closes it."""
    client = browse(None)

    def fetched(path):
        answer = client.get(path, headers={"Accept-Encoding": "gzip"})
        body = b"".join(answer)
        answer.close()
        return answer, body

    return fetched


@pytest.fixture
def named(database, browse):
    """What a page asks for."""
    html = browse(None).get("/sign-in/").content.decode()
    return re.findall(r'(?:href|src)="(/static/[^"]+)"', html)


def test_every_file_of_a_page_has_a_name_of_its_content_and_is_kept_for_good(fetch, named):
    assert len(named) >= 15

    for path in named:
        answer, _ = fetch(path)

        assert answer.status_code == 200, path
        assert re.search(r"\.[0-9a-f]{12}\.", path), path
        assert answer["Cache-Control"] == "max-age=315360000, public, immutable"
        assert answer["X-Content-Type-Options"] == "nosniff"


def test_styles_and_scripts_are_sent_compressed(fetch, named):
    for path in [path for path in named if path.endswith((".css", ".js"))]:
        assert fetch(path)[0]["Content-Encoding"] == "gzip", path


def test_a_page_is_small_enough_for_a_slow_phone(browse, fetch, named):
    page = len(browse(None).get("/sign-in/").content)
    files = {path: len(fetch(path)[1]) for path in named if not path.endswith(".woff2")}

    assert page + sum(files.values()) < 60_000


def test_fonts_and_icons_come_with_their_licences(settings):
    assert "SIL Open Font License" in (settings.BASE_DIR / "static/fonts/LICENSE").read_text()
    assert "ISC License" in (settings.BASE_DIR / "templates/shell/LICENSE-lucide.txt").read_text()
