"""The rules of the house that import-linter cannot say, each a test."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("controlplane", "deployments", "checks")
# With an "a" before them they are asynchronous.
STATE_WRITES = {"update", "create", "bulk_create", "bulk_update", "get_or_create", "update_or_create"}
STATEFUL = {"Job", "MigrationRun", "Step"}
SQL_FLAGS = re.IGNORECASE | re.DOTALL
SQL_WRITES = (
    r'\bSET\s(?:(?!\b(?:WHERE|FROM)\b)[^;])*?(?<![\w.])"?state"?\s*(?:=|\)|,[^=;]*\)\s*=)',
    r'\bINSERT\s+INTO\s+[\w".]*(?:job|migrationrun|step)"?\s*\([^)]*(?<!\w)"?state"?\s*[,)]',
)
BROAD = {"Exception", "BaseException"}
LONGEST = 300


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))


@pytest.fixture(scope="module", autouse=True)
def nothing_is_kept() -> Iterator[None]:
    yield
    parsed.cache_clear()  # it is large


def modules(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    for package in packages or PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if "/migrations/" not in name:
                yield name, parsed(path)


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield from (f"{module}.{alias.name}" for alias in node.names)


def imports_any(tree: ast.Module, *roots: str) -> bool:
    return any(name == root or name.startswith(f"{root}.") for name in imports(tree) for root in roots)


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Yield the last name of what is called, and the call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Attribute(attr=name) | ast.Name(id=name):
                    yield name, node


def is_text(node: ast.AST | None, *texts: str) -> bool:
    return isinstance(node, ast.Constant) and node.value in texts


def names_a_state(call: ast.Call) -> bool:
    """Whether a call is given a state: by name, or in a dictionary or a list of field names among its arguments."""
    if any(keyword.arg == "state" for keyword in call.keywords):
        return True
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    for node in (inner for value in given for inner in ast.walk(value)):
        match node:
            case ast.Dict(keys=keys) if any(is_text(key, "state") for key in keys):
                return True
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                if any(is_text(element, "state") for element in elements):
                    return True
    return False


def calls_to_write_a_state(tree: ast.Module) -> bool:
    for name, call in calls(tree):
        writes = name in STATE_WRITES | STATEFUL or name.removeprefix("a") in STATE_WRITES | {"save"}
        if writes and names_a_state(call):
            return True
        if name in {"setattr", "__setattr__"} and any(is_text(argument, "state") for argument in call.args):
            return True
    return False


def sql_writes_a_state(text: str) -> bool:
    ours = re.sub(r"\bUPDATE\s+locktender\.\w+\s+SET\b", "", text)  # the ledger on a target has states of its own
    return any(re.search(write, ours, SQL_FLAGS) for write in SQL_WRITES)


def writes_a_state(tree: ast.Module) -> bool:
    if calls_to_write_a_state(tree):
        return True
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr="state", ctx=ast.Store()):
                return True
            case ast.Constant(value=str(text)) if sql_writes_a_state(text):
                return True
    return False


def test_only_the_transition_service_writes_a_state():
    writers = {name for name, tree in modules() if writes_a_state(tree)}

    assert writers == {"deployments/services/transition.py"}


@pytest.mark.parametrize(
    "code",
    [
        "Job.objects.filter(pk=1).update(state='running')",
        "Job.objects.create(state=x)",
        "job.state = 'running'",
        "cursor.execute('UPDATE deployments_job SET state = 1')",
        "cursor.execute('UPDATE t SET a = 1, state = 2')",
        "cursor.execute('UPDATE t SET \"state\" = 2')",
        "cursor.execute('UPDATE t SET (state, a) = (1, 2)')",
        "cursor.execute('UPDATE t SET (a, state) = (1, 2) WHERE id = 1')",
        "cursor.execute('UPDATE t SET a = 1,\\n    state = 2')",
        "cursor.execute('INSERT INTO deployments_job (run_id, state) VALUES (1, 2)')",
        "cursor.execute('INSERT INTO \"deployments_step\" (state, job_id) VALUES (1, 2)')",
        "Job.objects.bulk_update(jobs, ['state'])",
        "await Job.objects.abulk_update(jobs, fields=('state', 'fence'))",
        "jobs.update(**{'state': 'running'})",
        "await Job.objects.acreate(state=x)",
        "Job.objects.bulk_create([Job(state=x)])",
        "Job.objects.get_or_create(pk=1, defaults={'state': x})",
        "Job.objects.update_or_create(pk=1, create_defaults={'state': x})",
        "Job(state=x).save()",
        "job.save(update_fields=['state'])",
        "setattr(job, 'state', x)",
        "job.state, job.fence = x, 1",
        "job.state: str = x",
        "for job.state in states: pass",
    ],
)
def test_the_search_for_state_writes_finds_each_way_to_write_one(code):
    assert writes_a_state(ast.parse(code))


@pytest.mark.parametrize(
    "code",
    [
        "Job.objects.filter(state='running').update(sent_at=None)",
        "cursor.execute('UPDATE job SET sent_at = now() WHERE state = 1')",
        "cursor.execute('UPDATE job SET lease = 1 FROM run WHERE run.state = 1 RETURNING job.id')",
        "cursor.execute('INSERT INTO deployments_steplog (step_id, line) VALUES (1, 2)')",
        "known = run.state == 'queued'",
    ],
)
def test_the_search_for_state_writes_leaves_reading_alone(code):
    assert not writes_a_state(ast.parse(code))


def test_only_postgres_opens_a_target():
    """psycopg is the only driver. `controlplane/embedded` uses it for the servers it starts itself, never a target."""
    drivers = {name for name, tree in modules() if imports_any(tree, "psycopg")}

    assert {name for name in drivers if not name.startswith(("deployments/postgres/", "controlplane/embedded/"))} <= {
        "deployments/dispatch.py"
    }


def test_only_the_prober_speaks_http():
    clients = ("urllib3", "requests", "http.client", "urllib.request")

    assert {name for name, tree in modules() if imports_any(tree, *clients)} == {"deployments/probe.py"}


def test_only_the_dispatcher_sends_a_celery_message():
    sends = {"delay", "apply_async", "send_task", "apply", "delay_on_commit"}
    senders = {name for name, tree in modules() if any(called in sends for called, _ in calls(tree))}

    assert senders <= {"deployments/dispatch.py"}


def test_only_statements_imports_the_parser():
    assert {name for name, tree in modules() if imports_any(tree, "pglast")} == {"checks/statements.py"}


def test_judgement_needs_neither_framework_nor_driver():
    guilty = {
        name for name, tree in modules("checks") if imports_any(tree, "django", "celery", "psycopg", "redis", "socket")
    }

    assert not guilty


def test_views_open_neither_a_target_nor_redis():
    forbidden = ("deployments.postgres", "psycopg", "redis", "celery")
    guilty = {name for name, tree in modules("deployments") if "/views/" in name and imports_any(tree, *forbidden)}

    assert not guilty


def test_nothing_goes_through_a_shell_or_psql():
    guilty = set()
    for name, tree in modules():
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        shell = any(keyword.arg == "shell" for _, call in calls(tree) for keyword in call.keywords)
        if shell or imports_any(tree, "os.system", "os.popen") or "psql" in texts:
            guilty.add(name)

    assert not guilty


def is_broad(node: ast.expr | None) -> bool:
    """Whether this is one of the broad errors, or a tuple with one."""
    match node:
        case None:
            return True
        case ast.Tuple(elts=elements):
            return any(is_broad(element) for element in elements)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in BROAD
    return False


def swallows_everything(tree: ast.Module) -> bool:
    """Whether something suppresses all errors, or catches them and does not raise again at its end."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and is_broad(node.type):
            last = node.body[-1]
            if not (isinstance(last, ast.Raise) and last.exc is None):
                return True
    return any(name == "suppress" and any(map(is_broad, call.args)) for name, call in calls(tree))


@pytest.mark.parametrize(
    "code",
    [
        "try: x()\nexcept: pass",
        "try: x()\nexcept Exception: pass",
        "try: x()\nexcept builtins.BaseException: pass",
        "try: x()\nexcept (Exception, ValueError): pass",
        "try: x()\nexcept* Exception: pass",
        "with suppress(Exception): x()",
        "with contextlib.suppress(ValueError, BaseException): x()",
    ],
)
def test_the_search_for_swallowed_errors_finds_each_way(code):
    assert swallows_everything(ast.parse(code))


def test_the_search_for_swallowed_errors_leaves_the_others_alone():
    assert not swallows_everything(ast.parse("try: x()\nexcept Exception:\n    log()\n    raise"))
    assert not swallows_everything(ast.parse("with suppress(OSError): x()"))


def test_only_the_executor_swallows_everything_and_it_records_it():
    assert {name for name, tree in modules() if swallows_everything(tree)} <= {"deployments/pipelines/executor.py"}


def test_every_file_is_one_room():
    long = {
        name: lines
        for package in (*PACKAGES, "tests")
        for path in (ROOT / package).rglob("*.py")
        if (name := str(path.relative_to(ROOT))) and "/migrations/" not in name
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST
    }

    assert not long


def test_every_file_says_what_belongs_in_it():
    silent = {name for name, tree in modules() if tree.body and not ast.get_docstring(tree)}

    assert not silent


def test_the_lock_file_names_no_host():
    assert "://" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_base_dependencies_are_those_of_judgement_alone():
    """`migration-check` works where Django is not: import it with everything else out of reach."""
    code = (
        "import sys\n"
        "class Out:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name.split('.')[0] in {'django', 'celery', 'psycopg', 'redis', 'pydantic', 'structlog'}:\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Out())\n"
        "import checks.cli\n"
    )

    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
