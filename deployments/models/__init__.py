"""Facts and constraints. A rule that can be a constraint is one; `deployments/migrations/` holds the triggers."""

from deployments.models.access import TargetAccess
from deployments.models.application import Application, Contact, Database, Environment
from deployments.models.approval import Approval
from deployments.models.audit import AuditEvent
from deployments.models.back_door import AlarmAnswer, HistoryAlarm
from deployments.models.backup import Backup, BackupCheck, BackupExpiry, BackupHold
from deployments.models.clockwork import ControlPlane, Drain, PeriodicTask, WorkerBeat
from deployments.models.commit_tests import CommitTests
from deployments.models.datamodel import DatamodelCheck
from deployments.models.drift_rules import DriftRules
from deployments.models.grant import Grant, User
from deployments.models.health_check import HealthCheck
from deployments.models.kept_database import KeptDatabase
from deployments.models.latency import LatencyReading
from deployments.models.migration import Migration, Release, ReleaseMigration, Script
from deployments.models.observation import Observation
from deployments.models.policy import Policy
from deployments.models.rehearsal import Rehearsal
from deployments.models.run import Job, MigrationRun, RunAuthor, Step, StepLog
from deployments.models.schema import SchemaExpectation, SchemaRecord, SchemaSnapshot
from deployments.models.session_end import SessionEnd
from deployments.models.sign_in import SignInTries
from deployments.models.target_request import TargetRequest

__all__ = [
    "AlarmAnswer",
    "Application",
    "Approval",
    "AuditEvent",
    "Backup",
    "BackupCheck",
    "BackupExpiry",
    "BackupHold",
    "CommitTests",
    "Contact",
    "ControlPlane",
    "Database",
    "DatamodelCheck",
    "Drain",
    "DriftRules",
    "Environment",
    "Grant",
    "HealthCheck",
    "HistoryAlarm",
    "Job",
    "KeptDatabase",
    "LatencyReading",
    "Migration",
    "MigrationRun",
    "Observation",
    "PeriodicTask",
    "Policy",
    "Rehearsal",
    "Release",
    "ReleaseMigration",
    "RunAuthor",
    "SchemaExpectation",
    "SchemaRecord",
    "SchemaSnapshot",
    "Script",
    "SessionEnd",
    "SignInTries",
    "Step",
    "StepLog",
    "TargetAccess",
    "TargetRequest",
    "User",
    "WorkerBeat",
]
