"""A run in doubt and a database that is refused, as the on-call engineer's phone shows them, in both themes."""

from deployments.models import Observation, TargetRequest
from deployments.services.looks import answer
from tests.browser.looks import PHONE, flaws, shifts
from tests.pages import made
from tests.pages.test_doubts import APPLIED, looked_at, memory_of

NOTICEABLE = 0.001  # the age of a look counts on, and is a digit wider after nine seconds


def test_a_run_in_doubt_fits_a_phone_and_keeps_what_is_typed_while_the_target_is_looked_at(visit, cast):
    run = made.in_doubt(cast)
    looked_at(run, APPLIED | {"doubt": APPLIED["doubt"] | {"is_applied": None, "why": "It cannot tell."}})
    page = visit(f"/runs/{run.number}/resolve/", cast.lee, size=PHONE)

    assert shifts(page) < NOTICEABLE
    assert flaws(page) == []
    page.get_by_role("button", name="Look at the target again").click()
    page.get_by_text("Being looked at").wait_for()
    page.get_by_label("How it goes on").select_option("confirm")
    page.get_by_label("Reason").fill("The index is there")
    wish = TargetRequest.objects.get(answered_at=None)
    answer(wish, found=APPLIED)
    page.get_by_text("The target shows that it is applied.").wait_for()

    assert page.get_by_label("Reason").input_value() == "The index is there"
    assert flaws(page) == []
    page.get_by_role("button", name=f"Decide how run #{run.number} goes on").click()
    page.wait_for_url(f"**/runs/{run.number}/")
    assert run.jobs.get().decided["look"] == wish.pk


def test_a_database_that_is_refused_fits_a_phone_and_is_readopted_there(visit, cast):
    run = made.succeeded(cast)
    place = run.jobs.get().database
    memory_of(place)
    page = visit(f"/databases/{place.pk}/", cast.lee, size=PHONE)

    assert flaws(page) == []
    page.get_by_label("Reason").fill("Restored from Tuesday's backup")
    page.get_by_label(f"Type {place.name}").fill(place.name)
    page.get_by_role("button", name=f"Re-adopt {place.name}").click()
    page.get_by_text("Being re-adopted").wait_for()

    assert TargetRequest.objects.get(kind="readopt").requested_by == cast.lee
    assert flaws(page) == []
    assert Observation.objects.filter(database=place, ledger__isnull=False).exists()
