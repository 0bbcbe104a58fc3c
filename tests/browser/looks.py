"""What a page must be for everybody: readable by machines, and no wider than its window."""

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

DESKTOP, PHONE, NARROW = (1280, 900), (390, 844), (320, 640)
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
QUICKLY = {"resultTypes": ["violations"], "preload": False}  # no rule of ours reads style sheets
EVERYTHING = QUICKLY | {"runOnly": {"type": "tag", "values": TAGS}}
CONTRAST = QUICKLY | {"runOnly": {"type": "rule", "values": ["color-contrast"]}}


def flaws(page: Page) -> list[str]:
    """Return every flaw of a page: on a desk, on a phone and in a narrow window, and in both themes.

    In the dark only contrast is asked for, on a desk: nothing else that axe knows depends on colours, and a phone has
    the same ones.
    """
    found = []
    for width, height in (PHONE, DESKTOP):
        page.set_viewport_size({"width": width, "height": height})
        found += [f"{width} px: {one}" for one in [*barriers(page), *too_wide(page), *covered(page)]]
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {one}" for one in barriers(page, CONTRAST)]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    return [*found, *(f"{NARROW[0]} px: {one}" for one in too_wide(page))]


def barriers(page: Page, options: dict[str, Any] = EVERYTHING) -> list[str]:
    """Return what axe finds serious or critical on a page, each with the element."""
    _position_bars(page, "static")  # what one covers where the page stands now, a person scrolls free; axe does not
    if page.evaluate("() => !('axe' in window)"):
        page.evaluate(AXE_SCRIPT)
    found: list[dict[str, Any]] = page.evaluate("(given) => axe.run(given).then((all) => all.violations)", options)
    _position_bars(page, "")
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:160]} {node['failureSummary'][:300]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


def _position_bars(page: Page, position: str) -> None:
    page.evaluate(
        "(to) => document.querySelectorAll('.bottom').forEach((one) => { one.style.position = to; })", position
    )


def shifts(page: Page) -> float:
    """Return how much has moved on a page since it was opened, without what a person did.

    In shares of the window, to four places: below that are parts of a pixel, which nobody sees.
    """
    return page.evaluate(
        """() => new Promise((resolve) => {
            let moved = 0;
            new PerformanceObserver((list) => {
                for (const one of list.getEntries()) if (!one.hadRecentInput) moved += one.value;
            }).observe({ type: "layout-shift", buffered: true });
            requestAnimationFrame(() => requestAnimationFrame(() => resolve(Math.round(moved * 1e4) / 1e4)));
        })"""
    )


def covered(page: Page) -> list[str]:
    """Return the parts of a way back that another part of it lies upon."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".door")].flatMap((door) => {
            const parts = [...door.querySelectorAll(":scope > :not(dl), :scope > dl > div")];
            const boxes = parts.map((one) => [one, one.getBoundingClientRect()]).sort((a, b) => a[1].top - b[1].top);
            return boxes.slice(1).filter(([, box], at) => box.top < boxes[at][1].bottom - 0.5)
                .map(([one]) => `covered: ${one.outerHTML.slice(0, 120)}`);
        })"""
    )


def too_wide(page: Page) -> list[str]:
    """Return the elements that make a page scroll sideways."""
    return page.evaluate(
        """() => {
            const width = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= width) return [];
            const wide = [...document.body.querySelectorAll("*")]
                .filter((one) => one.getBoundingClientRect().right > width + 0.5)
                .map((one) => one.outerHTML.slice(0, 120));
            return wide.length ? wide : [`a text of ${document.documentElement.scrollWidth} px`]; // runs out of its box
        }"""
    )
