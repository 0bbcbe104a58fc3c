"""The foreign keys that a script makes, on old and new tables alike, as the model knows them afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from checks.context import Context, Seen
from checks.model import Constraint, ConstraintKind, Relation, Schema

_MAKERS = frozenset({"CreateStmt", "AlterTableStmt", "CreateSchemaStmt", "CreateForeignTableStmt"})


@dataclass(frozen=True, slots=True)
class KeyMade:
    """A foreign key, the statement that made it, and its table as it is right after."""

    seen: Seen
    key: Constraint
    child: Relation
    after: Schema

    @property
    def parent(self) -> Relation | None:
        """The table it refers to as it is known, or None."""
        return self.after.relations.get(self.key.references) if self.key.references else None


def keys_made(context: Context) -> Iterator[KeyMade]:
    """Yield every foreign key that a statement adds to a table; those that partitions inherit are left out."""
    following = (*(seen.before for seen in context.seen[1:]), context.after)
    for seen, after in zip(context.seen, following, strict=False):
        if seen.statement.tree.tag not in _MAKERS or after.relations is seen.before.relations:
            continue
        for child in after.changed_since(seen.before):
            before = seen.before.relations.get(child.name)
            had = before.constraints if before else {}
            for key in child.constraints.values():
                is_own = key.kind is ConstraintKind.FOREIGN_KEY and not key.is_inherited
                if is_own and key.name not in had:
                    yield KeyMade(seen, key, child, after)
