"""A person at a browser, without the browser: pages are asked for and their forms are sent, as the pages have them."""

from dataclasses import dataclass
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

import urllib3

MOST_SHOWN = 2000  # characters of a page that does not offer what was wanted
SEE_OTHER = (302, 303)
TIMEOUT = urllib3.Timeout(connect=5, read=30)


class NoSuchForm(LookupError):
    """A page does not offer what somebody wants to press."""

    def __init__(self, *, path: str, form: str, status: int, text: str) -> None:
        super().__init__(f"{path} has no form {form}. Status {status}: {text}")


class NotSignedIn(LookupError):
    """A name and its password were not taken."""

    def __init__(self, *, name: str, text: str) -> None:
        super().__init__(f"{name} could not sign in: {text}")


@dataclass(frozen=True, slots=True)
class Page:
    """What came back. `text` holds the words of the page without its markup, each space single."""

    status: int
    path: str
    html: str

    @property
    def text(self) -> str:
        """The words of the page."""
        return _Words(self.html).text

    def form(self, name: str) -> dict[str, str]:
        """Return what the form with this id would send. Raises NoSuchForm."""
        read = _Fields(self.html, name)
        if not read.is_there:
            raise NoSuchForm(path=self.path, form=name, status=self.status, text=self.text[:MOST_SHOWN])
        return read.values


class Visitor:
    """One person's session with an installation."""

    def __init__(self, url: str, name: str) -> None:
        """Open a session that is not signed in. `url` is the installation's, without a path."""
        self.name = name
        self._url = url
        self._cookies: dict[str, str] = {}
        self._pool = urllib3.PoolManager(timeout=TIMEOUT, retries=False)

    def sign_in(self, password: str) -> "Visitor":
        """Sign in and return this visitor. Raises NotSignedIn."""
        page = self.press("/sign-in/", "", username=self.name, password=password)
        if page.path.startswith("/sign-in/"):
            raise NotSignedIn(name=self.name, text=page.text)
        return self

    def get(self, path: str) -> Page:
        """Return a page, wherever it leads."""
        return self._follow(self._ask("GET", path), path)

    def post(self, path: str, fields: dict[str, str]) -> Page:
        """Send fields and return the page they lead to."""
        return self._follow(self._ask("POST", path, fields), path)

    def press(self, path: str, form: str, *, to: str = "", **fields: str) -> Page:
        """Fill in the form with this id on a page and send it, to that page or `to`. Raises NoSuchForm."""
        return self.post(to or path, self.get(path).form(form) | fields)

    def _ask(self, method: str, path: str, fields: dict[str, str] | None = None) -> urllib3.BaseHTTPResponse:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        body = None
        if fields is not None:
            headers |= {"Referer": self._url + path, "Content-Type": "application/x-www-form-urlencoded"}
            body = urlencode(fields)
        response = self._pool.request(method, self._url + path, body=body, headers=headers, redirect=False)
        for line in response.headers.getlist("Set-Cookie"):
            self._cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        return response

    def _follow(self, response: urllib3.BaseHTTPResponse, path: str) -> Page:
        while response.status in SEE_OTHER:
            where = urlsplit(response.headers["Location"])
            path = f"{where.path}?{where.query}" if where.query else where.path
            response = self._ask("GET", path)
        return Page(response.status, path, response.data.decode())


class _Fields(HTMLParser):
    """Collects the fields of the form with an id, also those outside of it; "" is the page's first form that posts."""

    def __init__(self, html: str, form: str) -> None:
        super().__init__()
        self.is_there = False
        self.values: dict[str, str] = {}
        self._wanted = form
        self._is_inside = False
        self._area = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what a field would send."""
        given = dict(attrs)
        if tag == "form" and (given.get("id") == self._wanted if self._wanted else self._is_first_post(given)):
            self._is_inside = self.is_there = True
        is_ours = self._is_inside if given.get("form") is None else given["form"] == self._wanted
        if is_ours and tag in {"input", "textarea"} and (name := given.get("name")):
            self.values[name] = given.get("value") or ""
            self._area = name if tag == "textarea" else ""

    def _is_first_post(self, given: dict[str, str | None]) -> bool:
        return not self.is_there and given.get("method") == "post"

    def handle_data(self, data: str) -> None:
        """Keep what stands in a field of several lines."""
        if self._area:
            self.values[self._area] += data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        """Leave the field, and the form."""
        self._area = ""
        if tag == "form":
            self._is_inside = False


class _Words(HTMLParser):
    """Collects the words of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self._words: list[str] = []
        self.feed(html)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._words).split())

    def handle_data(self, data: str) -> None:
        """Keep a word."""
        self._words.append(data)
