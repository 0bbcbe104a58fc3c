"""What a page says, without its tags."""

import html
import re

from django.http import HttpResponse


def signs(page: HttpResponse) -> set[str]:
    """Return the words of all signs on a page."""
    return set(re.findall(r'<span class="st [^"]*">(?:<svg.*?</svg>)?([^<]+)</span>', page.content.decode()))


def words(page: str | HttpResponse, *, keep: bool = False) -> str:
    """Return the text of a page with one space between words, or exactly as it stands."""
    text = page if isinstance(page, str) else page.content.decode()
    if keep:
        return html.unescape(re.sub(r"<[^>]*>", "", text))
    bare = re.sub(r"</?(?:span|b|code|a|wbr|time|svg|use)\b[^>]*>", "", text)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", bare)).split())
