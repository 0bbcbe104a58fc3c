"""Which version of the application runs, and which one ran before a run changed its schema."""

from dataclasses import dataclass

from deployments.models import MigrationRun, Step


@dataclass(frozen=True, slots=True)
class Versions:
    """The version that runs now as last reported, and the one that ran right before a run; "" where not known."""

    now: str
    before: str

    @property
    def is_another(self) -> bool:
        """Whether the application was changed since: then it may need what the run brought."""
        return bool(self.now and self.before) and self.now != self.before


def versions_around(run: MigrationRun) -> Versions:
    """Return the versions of the application before a run and now. The executor asked for the first one."""
    looked = Step.objects.filter(job__run=run, name="preflight", evidence__health__has_key="version")
    first = looked.order_by("job__position", "attempt").first()
    return Versions(run.environment.application_version, first.evidence["health"]["version"] if first else "")
