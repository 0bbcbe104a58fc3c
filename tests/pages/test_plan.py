"""The plan on the pages of a run: what asks for care stands there, what is calm is folded, what is much is loaded."""

import re

import pytest

from deployments.selectors.run_plan import plan_of, scripts_of
from deployments.views.planned import LISTED, MOST_AT_ONCE, shown
from tests.pages import story
from tests.pages.markup import faults

MOST_BYTES = 300_000
BASE = {"001_ledger": "CREATE TABLE ledger (id bigint PRIMARY KEY, note text, amount int);\n"}
SPLIT = (
    "ALTER TABLE ledger ADD COLUMN a int;\n\n"
    "-- a scan\nALTER TABLE ledger\n  ALTER COLUMN note SET NOT NULL; COMMENT ON TABLE ledger IS 'x';\n"
)
QUIET = "UPDATE ledger SET amount = 0 WHERE id = 7;\n"
CALM = "CREATE TABLE {} (id bigint PRIMARY KEY);\n"


def asked(cast, scripts, **parts):
    story.release(cast, {**BASE, **scripts}, **parts)
    for database in cast.production.databases.all():
        story.read(database, BASE)
    return story.ask(cast.production, cast.dana)


def paths(run):
    return f"/runs/{run.number}/", f"/runs/{run.number}/approval/"


def read(browse, person, path, **headers):
    answer = browse(person).get(path, headers=headers)
    assert answer.status_code == 200
    html = answer.content.decode()
    assert faults(html) == []
    return html


@pytest.fixture
def many(cast):
    """A run of more migrations than one page names, of which the last one asks for care."""
    scripts = {f"{number}_calm": CALM.format(f"t{number}") for number in range(100, 100 + LISTED + 20)}
    scripts[f"{100 + LISTED + 20}_hard"] = "ALTER TABLE ledger ALTER COLUMN note SET NOT NULL;\n"
    return asked(cast, scripts)


def test_what_asks_for_care_is_there_at_once_and_the_rest_is_loaded_when_it_is_opened(many, cast, browse):
    for path in paths(many):
        html = read(browse, cast.lee, path)

        assert len(html.encode()) < MOST_BYTES
        assert len(re.findall(r'<details class="fold plan" id="migration-\d+"', html)) == LISTED + 1
        assert len(set(re.findall(r'id="sql-(\d+)-', html))) <= MOST_AT_ONCE
        assert len(re.findall(r'<details class="fold plan" id="migration-\d+" open', html)) == 1
        place = re.search(r'id="migration-(\d+)" open', html)[1]
        assert int(place) == len(many.plan["migrations"])
        assert f'id="sql-{place}-1"' in html
        assert f'<a href="#stmt-{place}-1">statement 1, line 1</a>' in html
        assert re.search(r'hx-get="(/runs/\d+/migrations/50/)"[^>]*><a href="\1"', html)
        assert "Copy all SQL" not in html  # not all of it is there


def test_migrations_that_are_not_named_are_one_step_away_and_none_is_lost(many, cast, browse):
    first, _ = paths(many)
    named = set(re.findall(r'id="migration-(\d+)"', read(browse, cast.lee, first)))
    (further,) = re.findall(r'<a href="(/runs/\d+/migrations/from/\d+/)"', read(browse, cast.lee, first))

    added = re.findall(r'id="migration-(\d+)"', read(browse, cast.lee, further, **{"HX-Request": "true"}))
    alone = re.findall(r'id="migration-(\d+)"', read(browse, cast.lee, further))

    assert named.isdisjoint(added)  # an id stands on a page once
    assert {*added, str(len(many.plan["migrations"]))} == set(alone)
    named |= set(added)
    assert named == {str(number) for number in range(1, len(many.plan["migrations"]) + 1)}


def test_a_migration_that_is_loaded_is_the_same_as_one_that_was_there(cast, browse):
    run = asked(cast, {"002_split": SPLIT})
    page, _ = paths(run)

    loaded = read(browse, cast.lee, f"{page}migrations/1/", **{"HX-Request": "true"})
    alone = read(browse, cast.lee, f"{page}migrations/1/")

    assert loaded.strip() in read(browse, cast.lee, page)
    assert "<html" not in loaded
    assert loaded.strip() in alone
    assert f'href="{page}"' in alone


@pytest.mark.parametrize("place", ["0", "2", "999999999"])
def test_a_place_that_the_plan_does_not_have_is_not_found(cast, browse, place):
    run = asked(cast, {"002_split": SPLIT})

    for path in (f"/runs/{run.number}/migrations/{place}/", f"/runs/{run.number}/migrations/from/{place}/"):
        assert browse(cast.lee).get(path).status_code == 404


def test_reasons_and_statements_are_named_alike_and_linked(cast, browse):
    run = asked(cast, {"002_split": SPLIT})

    for path in paths(run):
        html = read(browse, cast.lee, path)
        for address in set(re.findall(r'href="#((?:stmt|migration)-[0-9-]+)"', html)):
            assert html.count(f'id="{address}"') == 1
        assert '<a href="#stmt-1-2">statement 2, line 4</a>' in html
        assert '<h4>2. ALTER TABLE<span class="mut">line 4</span></h4>' in html


def test_of_several_statements_in_one_line_the_line_alone_is_said(cast, browse):
    both = "ALTER TABLE ledger DROP COLUMN amount; ALTER TABLE ledger DROP COLUMN note;\n"
    run = asked(cast, {"002_both": both})

    html = read(browse, cast.lee, paths(run)[0])

    assert '<a href="#stmt-1-1">line 1</a>: column note of ledger' in html
    assert "statement 1, line 1" not in html


def test_the_folded_checklist_says_what_is_open(cast, browse):
    run = asked(cast, {"002_split": SPLIT})

    for path in paths(run):
        html = read(browse, cast.lee, path)
        summary = html[html.rindex("<summary>", 0, html.index("Review checklist")) :].partition("</summary>")[0]
        said = re.sub("<[^>]+>", "", summary)
        assert re.search(r"Review checklist: \d of 10 met\. Not met: .*Integrity checks present", said)
        assert said.rstrip().endswith("Tests of the application")
        assert "Migration present" not in said


def test_a_lock_that_stops_nobody_is_shown_quietly_with_what_waits_for_it(cast, browse):
    run = asked(cast, {"002_quiet": QUIET})

    for path in paths(run):
        row = read(browse, cast.lee, path).split('<tr class="quiet">')[1].split("</tr>")[0]
        assert "ROW EXCLUSIVE" in row
        assert "writes to the same rows, DDL and index builds" in row
        assert "reads and writes go on" in row


def test_a_judgement_of_before_has_no_quiet_locks_and_no_split_and_is_still_shown(cast, browse):
    run = asked(cast, {"002_split": SPLIT + QUIET})
    judgement = run.judgement
    for one in judgement["migrations"].values():
        del one["quiet"], one["split"]
        for lock in one["locks"]:
            del lock["lasts"]
    del judgement["commit"]
    run.judgement = judgement
    (one,) = shown(run, plan_of(run).migrations, scripts_of(plan_of(run).migrations))

    assert one.planned.quiet == ()
    assert one.planned.about.split == ()
    assert "".join(passage.text for passage in one.passages) == SPLIT + QUIET
