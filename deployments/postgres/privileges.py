"""The role that owns the objects: whether the connection's role may act as it, and acting as it."""

import psycopg
from psycopg import sql

from deployments.postgres.connect import Session, Target
from deployments.postgres.errors import PrivilegeMissing


def require_owner_role(opened: Session, target: Target) -> None:
    """Raise PrivilegeMissing unless the statements can be run as the role that owns the objects."""
    try:
        with opened.transaction(force_rollback=True):
            become_owner(opened, target)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue) as refused:
        owner, role = (sql.Identifier(name).as_string(opened) for name in (target.owner_role, opened.info.user))
        raise PrivilegeMissing(
            target=target.name, what=f"act as {owner}", remedy=f"GRANT {owner} TO {role}"
        ) from refused


def become_owner(opened: Session, target: Target) -> None:
    """Act as the owner of the objects until RESET ROLE, or the end of the session."""
    if target.owner_role:
        opened.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(target.owner_role)))
