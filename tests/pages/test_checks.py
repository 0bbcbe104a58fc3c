"""The catalogue of checks: all of them are there, and it says where each was hit, to those who may see it."""

import re

from checks.finding import Group
from checks.rules import CATALOGUE
from tests.pages import story
from tests.pages.markup import faults

BAD = "CREATE INDEX ledger_note_idx ON ledger (note)"
IGNORED = f"-- locktender: ignore index-not-concurrent: the table has forty rows\n{BAD}"
SCRIPTS = {"001_ledger": story.LEDGER, "002_notes": story.NOTES, "003_index": BAD}


def shown(browse, person, path="/checks/"):
    answer = browse(person).get(path)
    html = answer.content.decode()
    assert answer.status_code == 200
    assert faults(html) == []
    return html


def asked_for(cast, scripts, environment):
    """Return the run that was asked for, where all but the last script are applied."""
    story.release(cast, scripts)
    applied = dict(list(scripts.items())[:-1])
    for database in environment.databases.all():
        story.read(database, applied)
    return story.ask(environment, cast.dana)


def test_every_check_is_listed_and_none_was_hit_yet(cast, browse):
    html = shown(browse, cast.dana)

    for rule in CATALOGUE:
        assert f'href="/checks/{rule.code}/"' in html
    assert not re.search(r'href="/runs/\d', html)


def test_a_check_that_was_hit_says_in_which_run_last(cast, browse):
    run = asked_for(cast, SCRIPTS, cast.production)

    row = shown(browse, cast.dana).split("<code>index-not-concurrent</code></a>")[1].split("</li>")[0]

    assert f'href="/runs/{run.number}/"' in row
    assert "hit 1, last in" in row


def test_what_was_found_in_staging_and_in_production_was_found_once(cast, browse):
    story.second_database(cast)
    asked_for(cast, SCRIPTS, cast.staging)
    run = asked_for(cast, SCRIPTS, cast.production)

    html = shown(browse, cast.dana, "/checks/index-not-concurrent/")

    assert html.count("003_<wbr>index") == 1
    assert f'href="/runs/{run.number}/"' in html


def test_the_page_of_a_check_says_where_it_was_ignored_and_why(cast, browse):
    asked_for(cast, {**SCRIPTS, "003_index": IGNORED}, cast.production)

    html = shown(browse, cast.dana, "/checks/index-not-concurrent/")

    assert "Ignored: the table has forty rows" in html
    assert "CREATE INDEX CONCURRENTLY" in re.sub("<[^>]+>", "", html)


def test_who_may_not_see_an_environment_does_not_learn_what_was_found_there(cast, browse):
    asked_for(cast, SCRIPTS, cast.production)

    listed, one = shown(browse, cast.charlie), shown(browse, cast.charlie, "/checks/index-not-concurrent/")

    assert not re.search(r'href="/runs/\d', listed)
    assert "003_" not in one
    assert "Never hit." in one


def test_every_check_has_a_page(cast, browse):
    browser = browse(cast.dana)

    for rule in CATALOGUE:
        answer = browser.get(f"/checks/{rule.code}/")
        assert (rule.code, answer.status_code, faults(answer.content.decode())) == (rule.code, 200, [])


def test_a_code_that_no_check_has_is_not_found(cast, browse):
    assert browse(cast.dana).get("/checks/nothing-of-that-name/").status_code == 404


def codes_in(html):
    return set(re.findall(r'href="/checks/([a-z0-9-]+)/"', html))


def test_the_list_is_filtered_by_words_family_and_hits(cast, browse):
    asked_for(cast, SCRIPTS, cast.production)
    every = {rule.code for rule in CATALOGUE}
    indexes = {rule.code for rule in CATALOGUE if rule.group is Group.INDEXES}

    by_words = codes_in(shown(browse, cast.dana, "/checks/?words=CONCURRENTLY+index"))
    by_family = codes_in(shown(browse, cast.dana, "/checks/?family=indexes"))
    hit = codes_in(shown(browse, cast.dana, "/checks/?hit=yes"))
    never = codes_in(shown(browse, cast.dana, "/checks/?hit=no"))
    both = codes_in(shown(browse, cast.dana, "/checks/?family=tables&hit=yes"))

    assert "index-not-concurrent" in by_words
    assert by_words < every
    assert by_family == indexes
    assert "index-not-concurrent" in hit
    assert hit | never == every
    assert hit & never == set()
    assert both == hit - indexes - (every - {rule.code for rule in CATALOGUE if rule.group is Group.TABLES})


def test_words_that_no_check_has_say_so_and_lead_back(cast, browse):
    html = shown(browse, cast.dana, "/checks/?words=%3Cimg+src%3Dx%3E")

    assert codes_in(html) == set()
    assert "No check is like that." in html
    assert "<img src=x>" not in html
    assert f"0 of {len(CATALOGUE)}" in html


def test_a_filter_that_cannot_be_read_lists_everything_and_says_so(cast, browse):
    answer = browse(cast.dana).get("/checks/?family=nonsense&words=lock")

    assert answer.status_code == 422
    assert codes_in(answer.content.decode()) == {rule.code for rule in CATALOGUE}


def test_a_safer_way_of_several_files_is_copied_file_by_file(cast, browse):
    html = shown(browse, cast.dana, "/checks/set-not-null-scan/")

    files = re.findall(r'<pre class="sql" id="(rewrite-\d)"[^>]*>(.*?)</pre>', html, re.DOTALL)
    assert [name for name, _ in files] == ["rewrite-1", "rewrite-2", "rewrite-3"]
    assert all(f'data-copy="#{name}"' in html for name, _ in files)
    texts = [re.sub("<[^>]+>", "", text) for _, text in files]
    assert all("-- file" not in text for text in texts)
    assert "VALIDATE CONSTRAINT" in texts[1]
    assert "NOT VALID" not in texts[1]
