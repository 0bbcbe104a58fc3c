"""What a page must be for everybody: readable by machines, and no wider than its window."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OPTIONS = {"resultTypes": ["violations"], "runOnly": {"type": "tag", "values": TAGS}}


def barriers(page: Page) -> list[str]:
    """Return what axe finds serious or critical on a page, each with the element."""
    _position_bars(page, "static")  # what one covers where the page stands now, a person scrolls free; axe does not
    found: list[dict[str, Any]] = Axe().run(page, options=OPTIONS).response["violations"]
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
