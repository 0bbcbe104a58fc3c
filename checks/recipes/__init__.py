"""Ways to change a schema that nobody notices: written as SQL with a statement's own names, and recognised by hand."""

from __future__ import annotations

from checks.recipes.aliases import kept_names
from checks.recipes.renames import column_behind_view, column_synced, table_behind_view

__all__ = ["column_behind_view", "column_synced", "kept_names", "table_behind_view"]
