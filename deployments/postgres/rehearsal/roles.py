"""As which role a rehearsal plays: the one that owns the objects in the target, where the server allows it."""

from deployments.postgres.connect import Session

MAY = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = %(role)s
               AND pg_catalog.pg_has_role(oid, 'MEMBER') AND rolname <> session_user)
"""


def acting_role(opened: Session, role: str) -> str:
    """Return the role if the session may act as it and is not it already, else "": then it acts as itself."""
    found = opened.execute(MAY, {"role": role}).fetchone()
    return role if found and found[0] else ""
