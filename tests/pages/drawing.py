"""Templates that a test writes down where it needs them."""

from typing import Any

from django.http import HttpRequest
from django.template import engines
from django_cotton.compiler_regex import CottonCompiler


def draw(source: str, request: HttpRequest | None = None, **context: Any) -> str:
    """Return a template rendered, its components included."""
    return engines["django"].from_string(CottonCompiler().process(source)).render(context, request)
