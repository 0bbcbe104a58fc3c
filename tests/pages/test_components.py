"""Components: what they are given is text and never markup, and every state has a sign."""

import html
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from hypothesis import given
from hypothesis import strategies as st

from checks.finding import Severity
from checks.risk import Risk
from deployments.models import Application, Environment
from deployments.templatetags import locktender as tags
from deployments.views.signs import FINDINGS, RISKS, SIGNS, STORED, sign_of
from deployments.views.sql import Mark, lines
from tests.pages.drawing import draw
from tests.pages.markup import faults

TEMPLATES = Path(django_settings.BASE_DIR) / "templates"
STATIC = Path(django_settings.BASE_DIR) / "static"
EVIL = "<img src=x onerror=alert(1)>\"'&"
NAMES = sorted(path.stem for path in (TEMPLATES / "components").glob("*.html"))
AT = datetime(2026, 11, 9, 3, 4, 2, 488_000, tzinfo=UTC)
NB = "\u00a0"


def declared(name: str) -> list[tuple[str, str]]:
    """Return what a component declares: each attribute with its default."""
    text = (TEMPLATES / "components" / f"{name}.html").read_text()
    found = re.search(r"<c-vars (.*?)/>", text)
    return re.findall(r'(:?\w+)="([^"]*)"', found[1]) if found else []


# What a component cannot do without, or that is not a text.
NEEDED = {
    "env_bar": {"environment": Environment(application=Application(slug=EVIL), name=EVIL, slug="x")},
    "risk": {"level": "safe"},
    "finding": {"level": "3", "severity": "note"},
    "script": {"level": "4"},
    "recipe": {"level": "4"},
    "event": {"at": AT},
    "tab": {"kind": "fail"},
}


@pytest.mark.parametrize("name", NAMES)
def test_what_a_component_is_given_is_text(settings, static_files, name):
    texts = [attribute for attribute, default in declared(name) if not attribute.startswith(":")]
    given_to = dict.fromkeys(texts, EVIL) | NEEDED.get(name, {})
    attributes = " ".join(f':{attribute}="{attribute}"' for attribute in given_to)
    tag = name.replace("_", "-")

    html = draw(f"<c-{tag} {attributes}>{{{{ inside }}}}</c-{tag}>", inside=EVIL, **given_to)

    assert "<c-" not in html
    assert "<img" not in html
    assert [fault for fault in faults(html) if "onerror" in fault] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_component_says_what_it_is_and_what_it_takes(name):
    first, *_ = (TEMPLATES / "components" / f"{name}.html").read_text().splitlines()

    assert re.fullmatch(r"\{# .+ #\}", first)
    assert [attribute for attribute, _ in declared(name) if not re.search(rf"\b{attribute.strip(':')}\b", first)] == []


def test_the_style_guide_shows_every_component():
    shown = "".join(path.read_text() for path in (TEMPLATES / "styleguide").glob("*.html"))
    elsewhere = {"stale_bar", "live_sign", "live", "tab"}  # in the frame, and where the tests of live parts are

    assert {name for name in NAMES if f"<c-{name.replace('_', '-')}" not in shown} - elsewhere == set()


def test_a_component_brings_no_white_space_along(static_files):
    assert draw('(<c-status state="failed" />)')[-2:] == ">)"
    assert draw('(<c-person name="lee" role="DBA" />)') == "(<b>lee</b> (DBA))"


def test_a_component_sees_nothing_of_the_page_that_it_is_not_given(static_files):
    assert draw("<c-person />", name="lee", role="DBA") == "<b></b>"


def test_every_state_and_class_and_severity_has_a_sign():
    assert set(SIGNS) >= STORED
    assert set(RISKS) == set(Risk)
    assert set(FINDINGS) == set(Severity)


def test_every_sign_is_told_by_its_shape_and_its_word_and_has_a_colour():
    shapes = {(sign.icon, sign.word) for sign in SIGNS.values()}
    kinds = set(re.findall(r"^  \.(\w+) \{ --c", (STATIC / "css" / "tokens.css").read_text(), re.MULTILINE))
    symbols = set(re.findall(r'symbol id="i-([\w-]+)"', (TEMPLATES / "shell" / "_sprite.html").read_text()))

    assert len(shapes) == len(SIGNS)
    assert {sign.kind for sign in [*SIGNS.values(), *FINDINGS.values()]} <= kinds
    assert {sign.icon for sign in [*SIGNS.values(), *FINDINGS.values()]} <= symbols


def test_every_icon_a_template_names_is_in_the_sprite():
    symbols = set(re.findall(r'symbol id="i-([\w-]+)"', (TEMPLATES / "shell" / "_sprite.html").read_text()))
    named = {
        icon
        for path in TEMPLATES.rglob("*.html")
        for icon in re.findall(r'(?: icon=|\{% icon )"([a-z0-9-]+)"', path.read_text())
    }

    assert named <= symbols
    assert {path.stem for path in (STATIC / "icons").glob("tab-*.svg")} >= {f"tab-{s.kind}" for s in SIGNS.values()}


def test_what_we_do_not_know_is_never_red_green_or_amber():
    unknown = {state for state, sign in SIGNS.items() if sign.is_unknown}

    assert {"needs_attention", "interrupted", "lost-executor", "not-measured"} == unknown
    assert not {SIGNS[state].kind for state in unknown} & {"fail", "ok", "wait"}


def test_a_state_without_a_sign_is_shown_as_unknown_by_its_own_word():
    sign = sign_of("half_done")

    assert (sign.word, sign.is_unknown) == ("Half done", True)


@given(st.text(alphabet=st.sampled_from("SELECT'\"$;-/*\n\r\t ab1()<&é")))
def test_a_script_is_shown_byte_for_byte(script):
    shown = "".join(line.html for line in lines(script))
    plain = re.sub("<[^>]*>", "", shown)

    assert html.unescape(plain) == script


def test_marks_stand_on_the_lines_they_are_about():
    shown = lines("a\nb\nc\nd", [Mark(2, 3, "fail")])

    assert [(line.number, line.kind) for line in shown] == [(1, ""), (2, "fail"), (3, "fail"), (4, "")]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (tags.utc(AT), f"9{NB}Nov{NB}2026 03:04:02{NB}UTC"),
        (tags.utc(AT, "clock"), f"03:04:02{NB}UTC"),
        (tags.utc(AT, "cell"), f"9{NB}Nov 03:04:02"),
        (tags.utc(AT, "line"), "03:04:02.488"),
        (tags.iso(AT), "2026-11-09T03:04:02.488Z"),
        (tags.took(timedelta(seconds=393)), "6:33"),
        (tags.took(timedelta(seconds=3993.9)), "1:06:33"),
        (tags.took(timedelta(seconds=1)), "0:01"),
        (tags.took(timedelta(milliseconds=999)), f"0.9{NB}s"),
        (tags.took(timedelta(milliseconds=9)), f"<{NB}0.1{NB}s"),
        (tags.number(19_604_218), f"19{NB}604{NB}218"),
        (tags.size(0), f"0{NB}B"),
        (tags.size(999), f"999{NB}B"),
        (tags.size(31_200_000_000), f"31.2{NB}GB"),
        (tags.size(999_999_999), f"1.0{NB}GB"),
        (tags.size(412_000_000_000), f"412{NB}GB"),
        (tags.milliseconds(0.0), f"0{NB}ms"),
        (tags.milliseconds(0.04), f"<{NB}0.1{NB}ms"),
        (tags.milliseconds(9.44), f"9.4{NB}ms"),
        (tags.milliseconds(9.96), f"10{NB}ms"),
        (tags.milliseconds(213.6), f"214{NB}ms"),
        (tags.milliseconds(9_999.4), f"9{NB}999{NB}ms"),
        (tags.milliseconds(12_345.0), f"12.3{NB}s"),
        (tags.milliseconds(86_400_000.0), f"86{NB}400{NB}s"),
        (tags.short("7c1e09b7a90b"), "7c1e…a90b"),
        (tags.short("7c1e"), "7c1e"),
        (tags.breakable("a_b<"), "a_<wbr>b&lt;"),
    ],
)
def test_times_and_numbers_are_written_one_way(shown, expected):
    assert shown == expected


@pytest.mark.parametrize("slug", ["production", "staging", "dev"])
def test_production_is_whatever_is_protected(slug):
    looks = {protected: tags.look(Environment(slug=slug, is_protected=protected)) for protected in (True, False)}

    assert looks == {True: "production", False: "development" if slug == "dev" else "staging"}


def test_every_file_of_the_pages_is_one_room():
    files = [*TEMPLATES.rglob("*.html"), *(STATIC / "css").glob("*"), *(STATIC / "js").glob("*")]

    assert {str(path): lines for path in files if (lines := len(path.read_text().splitlines())) > 300} == {}


def test_no_script_or_style_comes_from_elsewhere():
    files = [*TEMPLATES.rglob("*.html"), *(STATIC / "css").glob("*"), *(STATIC / "js").glob("*")]

    assert [
        str(path) for path in files if re.search(r"(?:src|href|url\(|import)\W{0,3}(?:https?:)?//", path.read_text())
    ] == []
