"""Who may change a schema past Locktender, and the SQL that ends it, as its page tells it."""

import re

from deployments.postgres.access import RoleAccess
from deployments.services.access import keep_access
from tests.pages import past_us
from tests.pages.markup import faults


def shown(browse, person, cast) -> str:
    answer = browse(person).get(f"/databases/{cast.rewards_prod.pk}/onboarding/")
    html = answer.content.decode()
    assert answer.status_code == 200, html
    assert faults(html) == []
    return html.replace("<wbr>", "")


def test_who_may_change_it_is_named_with_the_sql_that_ends_it(cast, browse):
    past_us.watched(cast)

    html = shown(browse, cast.dana, cast)

    assert "1 role besides Locktender can sign in and change it." in html
    assert "nightly migrate" in html
    assert "Hidden from us" in html
    text = re.sub("<[^>]*>", "", html)
    for words in ("OWNER TO", "REVOKE", "locktender_gate", "DROP EVENT TRIGGER", "shop_owner_app"):
        assert words in text, words


def test_what_was_never_read_is_not_known(cast, browse):
    html = shown(browse, cast.dana, cast)

    assert "It is not known who may change this schema." in html
    assert "alone may change it" not in html


def test_where_nobody_else_may_it_says_so_and_whether_a_gate_is_there(cast, browse):
    past_us.watched(
        cast, past_us.access(roles=(), everybody=RoleAccess("PUBLIC", can_sign_in=False), owner_signs_in=False)
    )

    html = shown(browse, cast.dana, cast)

    assert "Locktender and superusers alone may change it." in html
    assert "There is no gate" in html


def test_the_same_reading_is_kept_once(cast):
    kept = keep_access(cast.rewards_prod, past_us.access().as_evidence())
    again = keep_access(cast.rewards_prod, past_us.access().as_evidence())
    other = keep_access(cast.rewards_prod, past_us.access(ours="other").as_evidence())

    assert (again.pk == kept.pk, other.pk == kept.pk) == (True, False)
