"""What the role of a connection must be able to do."""

import psycopg
from psycopg import sql

from deployments.postgres.connect import Session, Target
from deployments.postgres.errors import PrivilegeMissing


def require_owner_role(opened: Session, target: Target) -> None:
    """Raise PrivilegeMissing unless the statements can be run as the role that owns the objects."""
    owner = target.owner_role
    if not owner:
        return
    try:
        with opened.transaction(force_rollback=True):
            opened.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(owner)))
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue) as refused:
        raise PrivilegeMissing(
            target=target.name, what=f"act as {owner}", remedy=f"GRANT {owner} TO <the role that migrates>"
        ) from refused
