"""What a rollback took back is in the release still: whoever applies next applies it again, and pages say so."""

from deployments.states import JobState
from tests.pages import made, story
from tests.pages.markup import faults


def shown(browse, person, path: str) -> str:
    answer = browse(person).get(path)
    html = answer.content.decode()
    assert answer.status_code == 200, html
    assert faults(html) == []
    return html.replace("<wbr>", "")


def rolled_back(cast):
    """Return a run, and the way back that has undone it."""
    run = made.succeeded(cast)
    back = made.approve(cast, made.rollback(cast, run))
    acts = made.Executor(made.start(back, actor=made.person(cast.dana)))
    acts.end(acts.walk("migrate"))
    back = acts.close(JobState.SUCCEEDED, applied=2)
    story.read(cast.rewards_prod, {})
    return run, back


def test_both_runs_and_the_database_say_what_would_be_applied_again_until_the_release_has_it_no_more(cast, browse):
    run, back = rolled_back(cast)
    pages = [f"/runs/{run.number}/", f"/runs/{back.number}/", f"/databases/{cast.rewards_prod.pk}/"]

    for path in pages:
        html = shown(browse, cast.noor, path)
        assert "2 migrations that were taken back would be applied again." in html, path
        assert "20261102_points_fill" in html
        assert f"run #{back.number}" in html
        assert "prisma migrate deploy" not in html  # this team does not use it

    story.release(cast, {"20261201_other": "SELECT 1"})

    assert all("would be applied again" not in shown(browse, cast.noor, path) for path in pages)


def test_a_team_that_uses_prisma_is_told_its_command(cast, browse):
    run, _ = rolled_back(cast)
    cast.rewards.layout = "prisma"
    cast.rewards.save()

    html = shown(browse, cast.noor, f"/runs/{run.number}/")

    assert "The next <code>prisma migrate deploy</code> with that code applies them again" in html


def test_what_stays_applied_is_not_told(cast, browse):
    run = made.succeeded(cast)

    assert "would be applied again" not in shown(browse, cast.noor, f"/runs/{run.number}/")
