"""What a page of ours may not contain, because the content security policy forbids it or a reader stumbles over it."""

from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
SHAPES = {"path", "rect", "circle", "ellipse", "line", "use", "polyline"}


class Faults(HTMLParser):
    """Collects the faults of a page, and a few of its facts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []
        self.headings: list[str] = []
        self.references: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        self.found += [f"twice: id={name}" for name in sorted(set(self.ids)) if self.ids.count(name) > 1]
        self.found += [f"nothing has id={name}" for name in self.references if name not in self.ids]
        self.found += [f"not closed: {tag}" for tag in self.open]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag not in VOID | SHAPES:
            self.open.append(tag)
        if tag == "style":
            self.found.append("a style element")
        if tag == "script" and not given.get("src"):
            self.found.append("a script without src")
        for name, value in attributes:
            if (
                name == "style"
                or name.startswith(("on", "hx-on", "hx-vals", "hx-vars"))
                or (value or "").startswith("js:")
            ):
                self.found.append(f"<{tag} {name}={value}>")
        if name := given.get("id"):
            self.ids.append(name)
        if tag in {"h1", "h2", "h3", "h4"}:
            self.headings.append(tag)
        for attribute in ("for", "aria-describedby", "aria-labelledby"):
            self.references += (given.get(attribute) or "").split()
        if tag == "use" and (href := given.get("href")):
            self.references.append(href.removeprefix("#"))

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID | SHAPES:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID | SHAPES:
            return
        if not self.open or self.open[-1] != tag:
            self.found.append(f"</{tag}> closes {self.open[-1:] or 'nothing'}")
        if tag in self.open:
            while self.open.pop() != tag:
                pass


def faults(html: str) -> list[str]:
    """Return what is wrong with a whole page or a fragment of one."""
    read = Faults(html)
    whole = "<html" in html
    wrong = [fault for fault in read.found if whole or not fault.startswith("nothing has id=")]
    if whole and read.headings.count("h1") != 1:
        wrong.append(f"{read.headings.count('h1')} h1")
    return wrong
