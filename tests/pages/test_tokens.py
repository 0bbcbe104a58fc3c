"""The colours keep their contrast, and people who see fewer colours can tell the states apart."""

import re
from itertools import combinations
from pathlib import Path

import pytest
from django.conf import settings

TEXT = (Path(settings.BASE_DIR) / "static" / "css" / "tokens.css").read_text()
PAIRS = {name: (light, dark) for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", TEXT)}
STATES = ("ok", "run", "wait", "fail", "back", "idle")
# Machado, Oliveira, Fernandes 2009, full severity, on linear RGB.
BLINDNESS = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
LEAST = {"light": 0.050, "dark": 0.070}
# ink, ground, least contrast: 4.5 for text, 3 for edges of controls
CONTRASTS = [
    *((ink, ground, 4.5) for ink in ("text", "text2", "text3") for ground in ("bg", "surface", "sunk")),
    *((state, f"{state}-bg", 4.5) for state in STATES),
    *((state, "surface", 4.5) for state in STATES),
    *(("text", f"{state}-bg", 4.5) for state in STATES),
    *(("text2", f"{state}-bg", 4.5) for state in STATES),
    ("accent", "surface", 4.5),
    ("accent", "bg", 4.5),
    ("accent-ink", "accent", 4.5),
    ("danger-ink", "danger", 4.5),
    ("prod-ink", "prod", 7),
    ("edge", "surface", 3),
    ("edge", "bg", 3),
    ("run", "sunk", 4.5),
    ("ok", "sunk", 4.5),
]


def linear(colour: str) -> list[float]:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def luminance(colour: str) -> float:
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def as_seen(colour: str, blindness: str) -> tuple[float, float, float]:
    """Return the place of a colour in OKLab, as somebody sees it."""
    rgb = linear(colour)
    seen = [min(1, max(0, sum(weight * c for weight, c in zip(row, rgb, strict=True)))) for row in BLINDNESS[blindness]]
    cone = [
        sum(weight * c for weight, c in zip(row, seen, strict=True)) ** (1 / 3)
        for row in (
            (0.4122214708, 0.5363325363, 0.0514459929),
            (0.2119034982, 0.6806995451, 0.1073969566),
            (0.0883024619, 0.2817188376, 0.6299787005),
        )
    ]
    rows = (
        (0.2104542553, 0.7936177850, -0.0040720468),
        (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660),
    )
    first, second, third = (sum(weight * c for weight, c in zip(row, cone, strict=True)) for row in rows)
    return first, second, third


def apart(one: str, other: str, blindness: str) -> float:
    places = zip(as_seen(one, blindness), as_seen(other, blindness), strict=True)
    return sum((a - b) ** 2 for a, b in places) ** 0.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground", "least"), CONTRASTS)
def test_what_is_written_can_be_read(theme, ink, ground, least):
    assert contrast(PAIRS[ink][theme], PAIRS[ground][theme]) >= least


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("blindness", BLINDNESS)
def test_no_two_states_look_alike_to_anybody(theme, blindness):
    colours = {state: PAIRS[state][theme == "dark"] for state in STATES}

    distances = {(one, other): apart(colours[one], colours[other], blindness) for one, other in combinations(STATES, 2)}

    assert min(distances.values()) >= LEAST[theme], min(distances, key=distances.get)


def test_every_colour_is_a_token():
    others = [path for path in (Path(settings.BASE_DIR) / "static" / "css").glob("*.css") if path.name != "tokens.css"]
    paper = re.compile(r"@media print.*", re.DOTALL)

    assert [path.name for path in others if re.search(r"#[0-9A-Fa-f]{3,8}\b", paper.sub("", path.read_text()))] == []
