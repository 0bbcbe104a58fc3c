"""Every page in both themes, on a desk and on a phone: no barrier, and nothing to scroll sideways."""

import pytest

from tests.browser.looks import DESKTOP, NARROW, PHONE, flaws, shifts, too_wide

# The address, and whether somebody is signed in.
PAGES = {
    "/": True,
    "/runs/": True,
    "/approvals/": True,
    "/databases/": True,
    "/audit/": True,
    "/runs/new/": True,
    "/runs/new/?environment=rewards/production": True,
    "/applications/rewards/": True,
    "/checks/": True,
    "/checks/set-not-null-scan/": True,
    "/account/": True,
    "/help/": True,
    "/sign-in/?next=/runs/": False,
    "/styleguide/": True,
    "/nowhere/": True,
    "/fails/not-allowed/": True,
    "/fails/stale/": True,
    "/fails/refused/": True,
    "/fails/broken/": True,
    "/fails/away/": True,
}
# The frame is the same on all; these carry what differs.
THOROUGH = ("/sign-in/?next=/runs/", "/account/", "/help/", "/styleguide/", "/fails/stale/", "/fails/broken/")


@pytest.fixture(autouse=True)
def addresses(settings, static_files):
    settings.ROOT_URLCONF = "tests.pages.urls"


@pytest.fixture
def shown(visit, cast, settings):
    """Return a function that opens a page as somebody who may see it."""

    def show(path, **how):
        settings.DEBUG = path == "/styleguide/"
        return visit(path, cast.lee if PAGES[path] else None, **how)

    return show


@pytest.mark.parametrize("path", THOROUGH)
def test_a_page_has_no_barrier(shown, path):
    assert flaws(shown(path)) == []


@pytest.mark.parametrize("path", ["/account/", "/styleguide/"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_nothing_moves_while_a_page_loads(shown, path, size):
    page = shown(path, size=size)
    page.wait_for_load_state("networkidle")

    assert shifts(page) == 0


@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_a_narrow_window_and_loads_without_a_fault(shown, path):
    page = shown(path, size=NARROW)

    assert too_wide(page) == []
    assert [fault for fault in page.faults if "Failed to load resource: the server responded" not in fault] == []


def test_twice_the_type_fits_too(shown):
    page = shown("/styleguide/", size=(640, 900))

    page.evaluate("document.documentElement.style.fontSize = '200%'; document.body.style.zoom = 2")

    assert too_wide(page) == []


def test_a_theme_that_was_chosen_goes_before_the_systems(shown):
    page = shown("/account/", theme="light")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.get_by_label("Colours").select_option("dark")
    page.get_by_role("button", name="Save preferences").click()
    page.wait_for_selector("html[data-theme=dark]")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"


def test_on_paper_a_page_is_light_and_has_no_frame(shown):
    page = shown("/styleguide/", theme="dark")

    page.emulate_media(media="print")

    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert not page.locator("header.top").is_visible()
    assert not page.get_by_role("button", name="Copy SQL").first.is_visible()


def test_with_a_persons_own_colours_states_keep_their_edges(shown):
    page = shown("/styleguide/")

    page.emulate_media(forced_colors="active")

    edges = "(one) => getComputedStyle(one).borderTopStyle"
    assert page.locator(".st.unknown").first.evaluate(edges) == "dashed"
    assert page.locator(".st.fail").first.evaluate(edges) == "solid"
    assert page.locator(".st.ok").first.evaluate(edges) == "solid"


def test_nothing_turns_when_a_person_wants_less_motion(shown):
    page = shown("/styleguide/")  # the window asks for less motion

    assert page.locator(".spin").first.evaluate("(one) => getComputedStyle(one).animationName") == "none"


def test_without_javascript_a_page_offers_what_it_needs(shown):
    page = shown("/account/", java_script_enabled=False)

    assert page.get_by_role("link", name="Refresh").first.is_visible()
    page.locator("details.menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    assert page.get_by_role("heading", name="Sign in").is_visible()
