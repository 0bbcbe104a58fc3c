"""The template loader: cotton's, and a component brings no white space of its own to the place where it is used."""

import re

from django.template import Origin
from django_cotton.cotton_loader import Loader as CottonLoader

HEAD = re.compile(r"\A(?:\s*(?:\{#.*?#\}|\{% (?:load|cotton:vars)\b.*?%\}))+\s*", re.DOTALL)
TAGS = re.compile(r"\{% .*?%\}", re.DOTALL)


class Loader(CottonLoader):  # type: ignore[misc]  # it has no types
    """Loads from the folder `templates/`, and compiles `<c-name>`."""

    def get_contents(self, origin: Origin) -> str:
        """Return the template; of a component, without the lines of its head and its last line break."""
        text: str = super().get_contents(origin)
        if not str(origin.template_name).startswith("components/"):
            return text
        head = HEAD.match(text)
        return ("".join(TAGS.findall(head[0])) + text[head.end() :] if head else text).strip()
