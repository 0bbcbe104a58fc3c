"""The product's addresses, with a page whose parts are live and one with a form that counts its presses."""

import threading
from dataclasses import dataclass, field

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path

from controlplane.urls import handler400, handler403, handler404, handler500
from deployments.views.base import private, unchanged, wants_fragment
from deployments.views.forms import ConfirmForm
from tests.pages.drawing import draw

__all__ = ["handler400", "handler403", "handler404", "handler500"]


@dataclass
class World:
    """What the pages show, for a test to change, and what they were asked."""

    version: int = 1
    is_final: bool = False
    is_broken: bool = False
    is_signed_out: bool = False
    asked: list[str] = field(default_factory=list)
    pressed: list[str] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)


WORLD = World()
LIMIT_SECONDS = 15
PART = """
<c-live id="part" url="/live/" :version="version" pace="1" :final="final">
<c-tab title="✕ #1042 at {{ version }}" kind="fail" />
<c-verdict state="running" say="Version {{ version }}.">
<c-slot name="offline">Pressing now is checked again.</c-slot>
</c-verdict>
<dl class="kv"><c-pair label="Version">{{ version }}</c-pair></dl>
<input id="typed" aria-label="Typed">
{% if version > 1 %}<a href="/new/">New</a>{% endif %}
<p>{% if version != 3 %}<button type="button">Ask</button>{% else %}<button type="button">Drop</button>{% endif %}
<a href="/whole/">Whole log of version {{ version }}</a> <c-copy text="words" label="Copy words" /></p>
<details id="more"><summary>More of version {{ version }}</summary><p>Open</p></details>
<div class="log" id="lines" tabindex="0">{% for line in many %}<p>line {{ line }}</p>{% endfor %}</div>
</c-live>
"""
PAGE = (
    '{% extends "base.html" %}{% block title %}Live{% endblock %}{% block content %}<h1>Live</h1>CONTENT{% endblock %}'
)
FORM = """
<c-confirm-form id="press" action="/press/" :form="form" label="Roll back rewards_prod" kind="danger">
<label for="comment">Comment</label><textarea id="comment" name="comment"></textarea>
</c-confirm-form>
<div data-actions><a href="#deed">Deed</a></div>
<form role="search"><label>Find <input name="find"></label></form>
<table data-rows><tbody>
<tr><td><a href="#1">one</a> <a href="#x">x</a></td></tr>
<tr><td><a href="#2">two</a></td></tr>
</tbody></table>
<c-sql id="script" label="Script" text="SELECT 1;
SELECT 2 < 3;
" /><c-copy target="#script" label="Copy SQL" />
"""


def live(request: HttpRequest) -> HttpResponse:
    WORLD.asked.append(request.get_full_path())
    if WORLD.is_broken:
        raise ZeroDivisionError
    if wants_fragment(request) and WORLD.is_signed_out:
        return HttpResponse(status=401, headers={"HX-Redirect": "/sign-in/?next=/live/"})
    context = {"version": WORLD.version, "final": WORLD.is_final, "many": range(100)}
    source = PART if wants_fragment(request) else PAGE.replace("CONTENT", PART)
    return unchanged(request, WORLD.version) or private(HttpResponse(draw(source, request, **context)))


def press(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        WORLD.pressed.append(request.POST["request_key"])
        WORLD.may_answer.wait(LIMIT_SECONDS)
        return redirect("/press/")
    return HttpResponse(draw(PAGE.replace("CONTENT", FORM), request, form=ConfirmForm(target="x", verb="roll back")))


urlpatterns = [path("live/", live), path("press/", press), path("", include("tests.pages.urls"))]
