"""What a script or a name hides from the eye is shown, and is still there byte for byte."""

import html
import re
from datetime import UTC, datetime

import pytest

from deployments.templatetags.locktender import breakable
from deployments.views.sql import lines
from tests.pages.drawing import draw

HIDDEN = {
    "\u202e": "U+202E",  # what follows is drawn from right to left
    "\u2066": "U+2066",
    "\u200b": "U+200B",
    "\u00a0": "U+00A0",
    "\u2028": "U+2028",
    "\u00ad": "U+00AD",
    "\u3164": "U+3164",  # a letter that draws nothing
    "\x1b": "U+001B",
    "\x0c": "U+000C",
    "\ufeff": "U+FEFF",
}


def text_of(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


@pytest.mark.parametrize(("character", "word"), HIDDEN.items())
def test_a_character_nobody_sees_is_named_where_it_stands(character, word):
    script = f"/* kept{character} */ DROP TABLE points; -- {character}\nSELECT 1;\n"

    shown = lines(script)

    assert "".join(text_of(line.html) for line in shown) == script
    assert len(shown) == 2
    assert shown[0].html.count(f'<bdi class="odd" data-char="{word}">{character}</bdi>') == 2
    assert "odd" not in shown[1].html


def test_a_line_break_of_windows_is_no_surprise_and_is_kept():
    script = "SELECT 1;\r\nSELECT 2;\r\n"

    shown = lines(script)

    assert [line.html for line in shown if "odd" in line.html] == []
    assert "".join(text_of(line.html) for line in shown) == script
    assert "".join(line.html for line in shown).count("&#13;") == 2  # a bare one would be read as a line break


def test_what_ends_a_comment_for_postgresql_is_not_drawn_as_a_comment():
    shown = lines("-- harmless\rDROP TABLE points;\n")

    assert 'data-char="U+000D"' in shown[0].html
    assert '<span class="k">DROP</span>' in "".join(line.html for line in shown)


def test_letters_from_right_to_left_stay_in_their_word():
    shown = lines("SELECT שלום FROM עולם;\n")

    assert "<bdi>שלום</bdi>" in shown[0].html
    assert "<bdi>עולם</bdi>" in shown[0].html


def test_ordinary_words_in_any_language_are_left_alone():
    script = "SELECT 'Größe', '点数', '🙂', 'é' FROM points; -- täglich\n"

    assert "odd" not in lines(script)[0].html
    assert text_of(lines(script)[0].html) == script


def test_a_name_hides_nothing_either():
    assert breakable("4_gnp.\u202etxt") == '4_<wbr>gnp.<bdi class="odd" data-char="U+202E">\u202e</bdi>txt'
    assert breakable("<b>_x") == "&lt;b&gt;_<wbr>x"


def test_a_line_of_a_log_hides_nothing_either(static_files):
    said = {"number": 1, "at": datetime(2026, 11, 9, tzinfo=UTC), "line": "<b>\u202etxt"}

    assert '<span>&lt;b&gt;<bdi class="odd" data-char="U+202E">\u202e</bdi>txt</span>' in draw(
        '<c-log id="log" label="Log" :lines="lines" />', lines=[said]
    )
