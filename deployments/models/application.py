"""What is managed: an application, the environments it runs in, and their databases."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Application(models.Model):
    """A product whose schema is managed: one migration source in one layout."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    layout = models.CharField(max_length=30)  # a name in checks.layouts.LAYOUTS
    source = models.CharField(max_length=500)  # "folder:<path>"; git and upload come with their sources
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.name


class Environment(models.Model):
    """A place an application runs, with its rank in the promotion order."""

    application = models.ForeignKey(Application, models.PROTECT, related_name="environments")
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    rank = models.PositiveSmallIntegerField()  # 1 comes first; production is last
    is_protected = models.BooleanField(default=True)
    application_version = models.CharField(max_length=120, blank=True)  # running there now, as last reported
    # A reference, "env:NAME" or "file:/path": where backups are restored and migrations rehearsed; "": nowhere.
    rehearsal_connection = models.CharField(max_length=500, blank=True)
    # Who is asked, before a way back by script, to bring the earlier version of the application back; "": nobody.
    rollback_hook = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="environment_slug_once_per_application", fields=["application", "slug"]),
            models.UniqueConstraint(name="environment_rank_once_per_application", fields=["application", "rank"]),
            models.UniqueConstraint(name="environment_application", fields=["id", "application"]),
            models.CheckConstraint(
                name="environment_rehearsal_connection_is_a_reference",
                condition=Q(rehearsal_connection="") | Q(rehearsal_connection__regex=r"^(env|file):.+$"),
            ),
            models.CheckConstraint(
                name="environment_rollback_hook_is_https",
                condition=Q(rollback_hook="") | Q(rollback_hook__startswith="https://"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.application.slug}/{self.slug}"


class Database(models.Model):
    """One target PostgreSQL database in an environment."""

    environment = models.ForeignKey(Environment, models.PROTECT, related_name="databases")
    name = models.CharField(max_length=63)  # how people call it; the server's name is `database_name`
    position = models.PositiveSmallIntegerField(default=1)  # jobs of a run go in this order
    connection = models.CharField(max_length=500)  # a reference, "env:NAME" or "file:/path": never the secret
    owner_role = models.CharField(max_length=63, blank=True)  # taken with SET LOCAL ROLE for the statements
    # Known from the first observation on; "" means not yet seen.
    system_identifier = models.CharField(max_length=20, blank=True)
    database_name = models.CharField(max_length=63, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="database_name_once_per_environment", fields=["environment", "name"]),
            models.UniqueConstraint(name="database_position_once_per_environment", fields=["environment", "position"]),
            # Two rows for one server database would let two runs write to it at once.
            models.UniqueConstraint(
                name="database_identity_once",
                fields=["system_identifier", "database_name"],
                condition=~Q(system_identifier=""),
            ),
            models.CheckConstraint(
                name="database_identity_whole_or_absent",
                condition=Q(system_identifier="", database_name="") | (~Q(system_identifier="") & ~Q(database_name="")),
            ),
            models.CheckConstraint(
                name="database_connection_is_a_reference", condition=Q(connection__regex=r"^(env|file):.+$")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.environment}/{self.name}"


class ContactKind(models.TextChoices):
    """What a contact is for."""

    DBA = "dba", "DBA"
    ON_CALL = "on-call", "On-call"
    CHANNEL = "channel", "Channel"
    RUNBOOK = "runbook", "Runbook"


class Contact(models.Model):
    """Whom to call or where to look, for an application or one of its environments."""

    application = models.ForeignKey(Application, models.CASCADE, related_name="contacts")
    environment = models.ForeignKey(Environment, models.CASCADE, null=True, blank=True, related_name="contacts")
    kind = models.CharField(max_length=20, choices=ContactKind)
    value = models.CharField(max_length=300)

    class Meta:
        constraints = [
            models.CheckConstraint(name="contact_kind_known", condition=Q(kind__in=ContactKind.values)),
            models.CheckConstraint(name="contact_value_present", condition=~Q(value="")),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.value}"
