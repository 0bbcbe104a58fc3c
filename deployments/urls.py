"""Addresses, a list per resource. Who is not signed in gets nowhere but where `login_not_required` says."""

from django.contrib.auth.decorators import login_not_required
from django.urls import path

from deployments.views import (
    account,
    applications,
    approvals,
    audit,
    back_door,
    checks,
    database,
    databases,
    drift_rules,
    health,
    help_page,
    new_run,
    onboarding,
    overview,
    rehearsal,
    restore,
    rollback,
    run,
    run_forms,
    run_migration,
    run_rest,
    runs,
    schema,
    session_end,
    sign_in,
    step_log,
    styleguide,
)

urlpatterns = [
    # /
    path("", overview.overview, name="overview"),
    # /runs/
    path("runs/", runs.runs, name="runs"),
    path("runs/<int:number>/", run.run, name="run"),
    path("runs/<int:number>/migrations/<int:place>/", run_migration.run_migration, name="run-migration"),
    path("runs/<int:number>/migrations/from/<int:first>/", run_migration.run_migrations, name="run-migrations"),
    path("runs/<int:number>/approval/", approvals.approval, name="approval"),
    path("runs/<int:number>/rollback/", rollback.rollback, name="rollback"),
    path("runs/<int:number>/restore/", restore.restore_page, name="restore"),
    path("runs/<int:number>/schema/", schema.run_schema, name="run-schema"),
    path("runs/<int:number>/rehearse/", rehearsal.rehearse, name="run-rehearse"),
    path("runs/<int:number>/start/", run.start_run, name="run-start"),
    path("runs/<int:number>/cancel/", run_forms.cancel, name="run-cancel"),
    path("runs/<int:number>/pause/", run_rest.pause, name="run-pause"),
    path("runs/<int:number>/resume/", run_rest.resume_run, name="run-resume"),
    path("runs/<int:number>/sessions/<int:pid>/end/", session_end.end, name="run-session-end"),
    path("runs/<int:number>/resolve/", run_forms.resolve, name="run-resolve"),
    path("runs/<int:number>/look/", run_forms.look, name="run-look"),
    path("runs/<int:number>/steps/<int:step_id>/", step_log.step, name="step"),
    path("runs/<int:number>/steps/<int:step_id>/log.txt", step_log.raw, name="step-raw"),
    path("runs/new/", new_run.new_run, name="new-run"),
    path("runs/new/read-again/", new_run.read_again, name="read-again"),
    # /approvals/
    path("approvals/", approvals.approvals, name="approvals"),
    # /applications/
    path("applications/<slug:slug>/", applications.application, name="application"),
    path("applications/<slug:slug>/migrations/<int:pk>/", applications.migration, name="migration"),
    # /databases/
    path("databases/", databases.databases, name="databases"),
    path("databases/<int:pk>/", database.database, name="database"),
    path("databases/<int:pk>/drift/", schema.drift, name="drift"),
    path("databases/<int:pk>/drift/rules/", drift_rules.drift_rules, name="drift-rules"),
    path("databases/<int:pk>/back-door/", back_door.back_door, name="back-door"),
    path("databases/<int:pk>/onboarding/", onboarding.onboarding, name="onboarding"),
    # /checks/
    path("checks/", checks.checks, name="checks"),
    path("checks/<slug:code>/", checks.check, name="check"),
    # /audit/
    path("audit/", audit.audit, name="audit"),
    path("audit/events.csv", audit.export, {"form_of": "csv"}, name="audit-csv"),
    path("audit/events.json", audit.export, {"form_of": "json"}, name="audit-json"),
    # /account/
    path("account/", account.account, name="account"),
    path("account/preferences/", account.preferences, name="preferences"),
    # /sign-in/, /sign-out/
    path("sign-in/", sign_in.SignIn.as_view(), name="sign-in"),
    path("sign-out/", sign_in.SignOut.as_view(), name="sign-out"),
    # /help/
    path("help/", login_not_required(help_page.help_page), name="help"),
    # /styleguide/, while DEBUG
    path("styleguide/", styleguide.styleguide, name="styleguide"),
    # /livez, /readyz
    path("livez", login_not_required(health.livez), name="livez"),
    path("readyz", login_not_required(health.readyz), name="readyz"),
]
