"""Have tables of a backup put into a schema of their own, beside those of now, for a repair by hand."""

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from deployments.management.base import Command as Base
from deployments.management.base import found
from deployments.models import Backup, TargetRequest
from deployments.services.restore_tables import request_tables

LOOK_SECONDS = 1.0


class Command(Base):
    """Ask for tables of a backup."""

    help = "Asks for tables of a backup in a new schema of its database. Nothing that is there is touched."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the place of the backup, the tables, why, and who asks."""
        parser.add_argument("place", help="of the backup, as the page of the database names it")
        parser.add_argument("--table", action="append", required=True, metavar="SCHEMA.TABLE", dest="tables")
        parser.add_argument("--reason", required=True)
        parser.add_argument("--no-wait", action="store_true", help="do not wait until a worker has done it")
        self.add_person(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Ask, wait for what comes of it, and say how to drop it again."""
        backup = found(Backup.objects.filter(place=options["place"]), f"backup {options['place']}")
        wish = request_tables(backup, tables=options["tables"], reason=options["reason"], actor=self.actor(options))
        self.stdout.write(f"Asked for (wish {wish.pk}). A dispatcher or worker does it; the database's page shows it.")
        if options["no_wait"]:
            return
        while wish.answered_at is None:
            time.sleep(LOOK_SECONDS)
            wish = TargetRequest.objects.get(pk=wish.pk)
        if wish.error:
            raise CommandError(f"{wish.error_code}: {wish.error}")
        for table in wish.found["tables"]:
            told = f", as text: {', '.join(table['as_text'])}" if table["as_text"] else ""
            as_of = wish.found["as_of"]
            self.stdout.write(f"{table['table']} as of {as_of} is {table['name']}: {table['rows']} rows{told}")
        self.stdout.write(f"When you are done: {wish.found['drop']}")
