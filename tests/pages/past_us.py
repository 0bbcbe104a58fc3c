"""What somebody did past Locktender, made for pages: a history that was changed, and who may change a schema."""

from typing import Any

from deployments.models import Database
from deployments.postgres.access import Access, RoleAccess
from deployments.services.access import keep_access
from tests.deployments.cast import Cast
from tests.pages import made, story


def alarmed(cast: Cast) -> Database:
    """Return a database whose history somebody changed, twice, after a run of ours."""
    made.succeeded(cast)
    theirs = {"20261109_theirs": "CREATE TABLE theirs (id int)"}
    story.read(cast.rewards_prod, made.TWO | theirs)
    story.read(cast.rewards_prod, {"20261101_points_currency": made.TWO["20261101_points_currency"]} | theirs)
    return cast.rewards_prod


def access(**fields: Any) -> Access:
    """Return who may change a schema: an application that owns a table, and everybody who may make one."""
    mine = RoleAccess(
        name="shop_app",
        can_sign_in=True,
        owns=(("TABLE", "public.points"), ("ROUTINE", "public.total(member integer)")),
        member_of=("shop_owner",),
        granted=(("CREATE", "SCHEMA", "public"),),
        schemas=("public",),
    )
    everybody = RoleAccess("PUBLIC", can_sign_in=False, granted=(("CREATE", "SCHEMA", "public"),))
    given: dict[str, Any] = {
        "database": "rewards_prod",
        "ours": "locktender",
        "owner": "shop_owner",
        "roles": (mine,),
        "everybody": everybody,
        "schemas": ("public",),
        "owner_signs_in": True,
        "superusers": ("postgres",),
    }
    return Access(**given | fields)


def watched(cast: Cast, found: Access | None = None) -> Database:
    """Return a database of which it was read who may change it, and who was in it."""
    clients = [
        {"role": "shop_app", "application": "nightly migrate", "sessions": 1},
        {"role": "metabase", "application": None, "sessions": 3},
    ]
    story.read(cast.rewards_prod, {}, clients=clients)
    keep_access(cast.rewards_prod, (found or access()).as_evidence())
    return cast.rewards_prod
