"""Facts and constraints. A rule that can be a constraint is one; `deployments/migrations/` holds the triggers."""

from deployments.models.application import Application, Contact, Database, Environment
from deployments.models.approval import Approval
from deployments.models.audit import AuditEvent
from deployments.models.backup import Backup
from deployments.models.clockwork import ControlPlane, PeriodicTask, WorkerBeat
from deployments.models.grant import Grant, User
from deployments.models.health_check import HealthCheck
from deployments.models.latency import LatencyReading
from deployments.models.migration import Migration, Release, ReleaseMigration, Script
from deployments.models.observation import Observation
from deployments.models.policy import Policy
from deployments.models.run import Job, MigrationRun, RunAuthor, Step, StepLog
from deployments.models.sign_in import SignInTries

__all__ = [
    "Application",
    "Approval",
    "AuditEvent",
    "Backup",
    "Contact",
    "ControlPlane",
    "Database",
    "Environment",
    "Grant",
    "HealthCheck",
    "Job",
    "LatencyReading",
    "Migration",
    "MigrationRun",
    "Observation",
    "PeriodicTask",
    "Policy",
    "Release",
    "ReleaseMigration",
    "RunAuthor",
    "Script",
    "SignInTries",
    "Step",
    "StepLog",
    "User",
    "WorkerBeat",
]
