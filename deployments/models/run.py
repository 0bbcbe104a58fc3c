"""One attempt to bring an environment to a plan: the run, its jobs, their steps and logs."""

import json
from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.application import Database, Environment
from deployments.models.grant import User
from deployments.models.policy import Policy
from deployments.states import (
    JOB_FINAL,
    OCCUPYING,
    RUN_ACTIVE,
    RUN_FINAL,
    STEP_FINAL,
    JobState,
    RunState,
    StepState,
)


def finished_exactly_when(final: frozenset[str]) -> Q:
    """Return the condition that `finished_at` is set in these states and in no other."""
    return Q(state__in=sorted(final), finished_at__isnull=False) | (
        ~Q(state__in=sorted(final)) & Q(finished_at__isnull=True)
    )


OCCUPIES = Q(state__in=sorted(OCCUPYING)) | Q(state=JobState.QUEUED, holds_slot=True)
"""A writing job of which this is true holds the slot of its database."""


class CancelOutcome(models.TextChoices):
    """What became of a cancel, for one job."""

    NOT_BEGUN = "not-begun", "Nothing had begun"
    ROLLED_BACK = "rolled-back", "Rolled back"
    UNFINISHED = "unfinished", "Left unfinished"
    BETWEEN = "between", "Nothing was under way"
    COMMITTED = "committed", "Already committed"


class RunKind(models.TextChoices):
    """What a run is for."""

    DEPLOY = "deploy", "Deploy"
    ROLLBACK = "rollback", "Roll back"
    RESTORE = "restore", "Restore"
    REHEARSAL = "rehearsal", "Rehearsal"
    REPAIR = "repair", "Repair"


WAYS_BACK = frozenset({RunKind.ROLLBACK, RunKind.RESTORE})
"""Runs that undo another one: they go first, and are not held up by what holds up a deploy."""


class MigrationRun(models.Model):
    """One attempt to bring one environment to a plan. What it will do is frozen; only its state moves."""

    number = models.PositiveBigIntegerField(unique=True, db_default=0)  # set by a trigger, without gaps
    environment = models.ForeignKey(Environment, models.PROTECT, related_name="runs")
    policy = models.ForeignKey(Policy, models.PROTECT, related_name="runs")  # the version the plan was judged by
    kind = models.CharField(max_length=20, choices=RunKind)
    state = models.CharField(max_length=20, choices=RunState, default=RunState.AWAITING)
    plan_text = models.TextField()  # canonical JSON: the digest is over exactly this
    digest = models.CharField(max_length=64)
    judgement = models.JSONField(default=dict)  # findings and estimates: shown, never part of the digest
    requested_by = models.ForeignKey(User, models.PROTECT, related_name="requested_runs")
    reason = models.TextField()
    change_reference = models.CharField(max_length=120, blank=True)
    request_key = models.UUIDField(unique=True)  # a double submit dies here
    reverts = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="reverted_by")
    supersedes = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="superseded_by")
    revision = models.PositiveIntegerField(default=1)  # rises with each write, so that a page knows it is stale
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    pause_requested_at = models.DateTimeField(null=True, blank=True)  # until it is resumed: nothing queued is taken up
    pause_requested_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    pause_reason = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="run_state_known", condition=Q(state__in=RunState.values)),
            models.CheckConstraint(name="run_kind_known", condition=Q(kind__in=RunKind.values)),
            models.CheckConstraint(
                name="run_finished_at_exactly_when_final", condition=finished_exactly_when(RUN_FINAL)
            ),
            models.CheckConstraint(name="run_reason_present", condition=~Q(reason="")),
            models.CheckConstraint(
                name="run_rollback_names_what_it_reverts",
                condition=~Q(kind="rollback") | Q(reverts__isnull=False),
            ),
            models.CheckConstraint(
                name="run_cancel_request_names_its_person",
                condition=Q(cancel_requested_at__isnull=True, cancel_requested_by__isnull=True)
                | Q(cancel_requested_at__isnull=False, cancel_requested_by__isnull=False),
            ),
            models.CheckConstraint(
                name="run_pause_request_names_its_person_and_reason",
                condition=Q(pause_requested_at__isnull=True, pause_requested_by__isnull=True, pause_reason="")
                | (Q(pause_requested_at__isnull=False, pause_requested_by__isnull=False) & ~Q(pause_reason="")),
            ),
            models.UniqueConstraint(name="run_environment", fields=["id", "environment"]),
            # What an approval points at: this run, as this person asked for it, with this content.
            models.UniqueConstraint(name="run_approvable", fields=["id", "requested_by", "digest"]),
            models.UniqueConstraint(
                name="run_open_once_per_plan",
                fields=["environment", "digest"],
                condition=Q(state__in=sorted(RUN_ACTIVE)),
            ),
        ]
        indexes = [models.Index(name="run_by_environment", fields=["environment", "-number"])]

    def __str__(self) -> str:
        return f"#{self.number}"

    @property
    def plan(self) -> dict[str, Any]:
        """The plan as values."""
        return json.loads(self.plan_text)  # type: ignore[no-any-return]


class RunAuthor(models.Model):
    """A person who wrote part of what a run will execute. Such a person cannot approve it: a trigger refuses it."""

    run = models.ForeignKey(MigrationRun, models.CASCADE, related_name="authors")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(name="run_author_once", fields=["run", "user"])]

    def __str__(self) -> str:
        return f"{self.user} wrote part of {self.run}"


class Job(models.Model):
    """The work of one run on one database."""

    run = models.ForeignKey(MigrationRun, models.PROTECT, related_name="jobs")
    database = models.ForeignKey(Database, models.PROTECT, related_name="jobs")
    position = models.PositiveSmallIntegerField(default=1)
    writes = models.BooleanField()  # a rehearsal does not
    state = models.CharField(max_length=20, choices=JobState, default=JobState.QUEUED)
    fence = models.BigIntegerField(null=True, blank=True)  # from a sequence; grows with every claim
    executor = models.CharField(max_length=120, blank=True)  # host and process, for people
    lease_until = models.DateTimeField(null=True, blank=True)  # after this another executor may take over
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    claims = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)  # when the dispatcher last sent it to the queue
    plan_moved = models.BooleanField(default=False)  # the target was no longer as planned; nothing was run
    applied = models.PositiveSmallIntegerField(default=0)  # migrations of this plan known to be in the history
    # What a person decided about the migration or statement in doubt, for the next executor. {} if nobody had to.
    decided = models.JSONField(default=dict, blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    error = models.TextField(blank=True)
    cancel_seen_at = models.DateTimeField(null=True, blank=True)  # by its executor
    cancel_ended_at = models.DateTimeField(null=True, blank=True)  # what was under way had ended
    cancel_outcome = models.CharField(max_length=40, choices=CancelOutcome, blank=True)
    cancel_answer = models.CharField(max_length=5, blank=True)  # the SQLSTATE that ended it, "" if none had to
    paused_at = models.DateTimeField(null=True, blank=True)  # its executor let go of it; until the next claim
    pauses = models.PositiveIntegerField(default=0)
    paused_world = models.JSONField(null=True)  # how the target was then, if it was changed by this job before
    holds_slot = models.BooleanField(default=False)  # also while it is queued: nothing may run in between
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)  # set exactly when the state is final

    class Meta:
        ordering = ["position"]
        constraints = [
            models.CheckConstraint(name="job_state_known", condition=Q(state__in=JobState.values)),
            models.CheckConstraint(
                name="job_finished_at_exactly_when_final", condition=finished_exactly_when(JOB_FINAL)
            ),
            models.UniqueConstraint(name="job_once_per_database", fields=["run", "database"]),
            models.UniqueConstraint(name="job_position_once", fields=["run", "position"]),
            # One writer per database, ever: the loser of a race gets this constraint, not a second migration.
            models.UniqueConstraint(
                name="job_one_writer_per_database",
                fields=["database"],
                condition=Q(writes=True) & OCCUPIES,
            ),
            models.CheckConstraint(
                name="job_running_has_fence_and_lease",
                condition=~Q(state="running") | Q(fence__isnull=False, lease_until__isnull=False),
            ),
        ]
        # The dispatcher's sweep looks for work that may be due.
        indexes = [models.Index(name="job_open", fields=["state"], condition=Q(state__in=["queued", "running"]))]

    def __str__(self) -> str:
        return f"{self.run} on {self.database.name}"


class Step(models.Model):
    """One stage of a pipeline, one row per attempt."""

    job = models.ForeignKey(Job, models.PROTECT, related_name="steps")
    position = models.PositiveSmallIntegerField()
    attempt = models.PositiveSmallIntegerField(default=1)
    name = models.CharField(max_length=40)
    state = models.CharField(max_length=20, choices=StepState, default=StepState.PENDING)
    fence = models.BigIntegerField(null=True, blank=True)  # of the executor that runs or ran it
    progress = models.JSONField(default=dict)
    summary = models.TextField(blank=True)
    evidence = models.JSONField(default=dict)
    error_code = models.CharField(max_length=60, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position", "attempt"]
        constraints = [
            models.CheckConstraint(name="step_state_known", condition=Q(state__in=StepState.values)),
            models.CheckConstraint(
                name="step_finished_at_exactly_when_final", condition=finished_exactly_when(STEP_FINAL)
            ),
            models.UniqueConstraint(name="step_attempt_once", fields=["job", "position", "attempt"]),
            models.UniqueConstraint(name="step_one_running_per_job", fields=["job"], condition=Q(state="running")),
        ]

    def __str__(self) -> str:
        return f"{self.job}: {self.name}"


class StepLog(models.Model):
    """One line a step wrote. Append-only; secrets are masked before they get here."""

    step = models.ForeignKey(Step, models.PROTECT, related_name="log")
    number = models.PositiveIntegerField()
    at = models.DateTimeField(db_default=Now(), editable=False)
    line = models.TextField()

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(name="steplog_number_once", fields=["step", "number"])]

    def __str__(self) -> str:
        return self.line
