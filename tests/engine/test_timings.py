"""What a statement took is kept, and stands beside the same statement where it runs next."""

from types import SimpleNamespace

from deployments.models import Step
from deployments.pipelines.steps.timings import earlier


def script(digest: str) -> SimpleNamespace:
    return SimpleNamespace(entry=SimpleNamespace(script_sha256=digest))


def test_every_statement_is_timed_and_found_again_for_another_database_only(rewards):
    rewards.write("001_points", "CREATE TABLE points (id int); ALTER TABLE points ADD member int")
    rewards.sync()
    job = rewards.execute(rewards.start(rewards.plan()))

    (told,) = Step.objects.get(job=job, name="migrate").evidence["timings"]
    assert told["migration"] == "001_points"
    assert [one["number"] for one in told["statements"]] == [1, 2]
    assert earlier(job, [script(told["script"])]) == {}  # it is this very database
    where = str(job.database)
    job.database_id = 0
    found = earlier(job, [script(told["script"])])
    assert [(place, [one["where"] for one in every]) for place, every in found.items()] == [
        ((told["script"], number), [where]) for number in (1, 2)
    ]
    assert earlier(job, [script("another script")]) == {}
