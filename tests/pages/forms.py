"""What a browser would send: the fields of a form as they stand on its page."""

from html.parser import HTMLParser
from typing import Any


class Fields(HTMLParser):
    """Collects the named fields of the form with an id."""

    def __init__(self, html: str, form: str) -> None:
        super().__init__()
        self.wanted = form
        self.is_inside = False
        self.is_there = False
        self.values: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "form":
            self.is_inside = given.get("id") == self.wanted
            self.is_there = self.is_there or self.is_inside
        elif self.is_inside and tag in {"input", "textarea"} and (name := given.get("name")):
            self.values[name] = given.get("value") or ""
            self.text = name if tag == "textarea" else ""

    def handle_data(self, data: str) -> None:
        if self.text:
            self.values[self.text] += data.removeprefix("\n").removeprefix("\r\n")

    def handle_endtag(self, tag: str) -> None:
        self.text = ""
        if tag == "form":
            self.is_inside = False


def form_on(client: Any, path: str, form: str) -> dict[str, str]:
    """Return what the form with this id on a page would send. Fails where there is none."""
    read = Fields(client.get(path).content.decode(), form)
    assert read.is_there, f"{path} has no form {form}"
    return read.values


def has_form(html: str, form: str) -> bool:
    """Return whether a page has the form with this id."""
    return Fields(html, form).is_there


def fields_in(html: str, form: str) -> dict[str, str]:
    """Return what the form with this id would send."""
    return Fields(html, form).values
