"""A trigger that computes one column of every row that is written, while the rows that are there are filled."""

from __future__ import annotations

from dataclasses import dataclass

from checks.alterations.commands import Command
from checks.names import quote
from checks.recipes.files import new_index


@dataclass(frozen=True, slots=True)
class FillTrigger:
    """Trigger and function for a column of a command's table. `column` is its name without quotes."""

    command: Command
    column: str

    @property
    def name(self) -> str:
        """The trigger as SQL."""
        return new_index(self.command, [self.column], "fill")

    @property
    def function(self) -> str:
        """Its function as SQL, with a schema where the table is written with one."""
        place = f"{quote(self.command.table.schema)}." if "." in self.command.sql_table else ""
        return f"{place}{self.name}"

    def made(self, expression: str) -> str:
        """Return the SQL that makes both. `expression` is SQL over the columns of the table."""
        value = f"(SELECT {expression} FROM (SELECT NEW.*) AS {quote(self.command.table.name)})"  # noqa: S608 - to be read
        return (
            f"CREATE FUNCTION {self.function}() RETURNS trigger LANGUAGE plpgsql AS $$\n"
            f"BEGIN\n  NEW.{quote(self.column)} := {value};\n  RETURN NEW;\nEND $$;\n"
            f"CREATE TRIGGER {self.name} BEFORE INSERT OR UPDATE ON {self.command.sql_table}\n"
            f"  FOR EACH ROW EXECUTE FUNCTION {self.function}();"
        )

    @property
    def dropped(self) -> str:
        """The SQL that takes both away."""
        return f"DROP TRIGGER {self.name} ON {self.command.sql_table};\nDROP FUNCTION {self.function}();"
