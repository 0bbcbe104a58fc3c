"""The rules of the house that import-linter cannot say, each a test."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("controlplane", "deployments", "checks")
STATE_WRITES = {"update", "create", "bulk_create", "get_or_create", "update_or_create", "aupdate"}
BROAD = {"Exception", "BaseException"}
LONGEST = 300


def modules(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    for package in packages or PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if "/migrations/" not in name:
                yield name, ast.parse(path.read_text(encoding="utf-8"), name)


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


def writes_a_state(tree: ast.Module) -> bool:
    for name, call in calls(tree):
        if name in STATE_WRITES and any(keyword.arg == "state" for keyword in call.keywords):
            return True
    assigned = (
        target
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    )
    if any(isinstance(target, ast.Attribute) and target.attr == "state" for target in assigned):
        return True
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return any(re.search(r"\bSET\s+(\w+\s*=[^;]*,\s*)?state\s*=", text, re.IGNORECASE) for text in texts)


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
    ],
)
def test_the_search_for_state_writes_finds_each_way_to_write_one(code):
    assert writes_a_state(ast.parse(code))


def test_only_postgres_opens_a_target():
    """psycopg is the only driver. `controlplane/embedded` uses it for the servers it starts itself, never a target."""
    drivers = {name for name, tree in modules() if imports_any(tree, "psycopg")}

    assert {name for name in drivers if not name.startswith(("deployments/postgres/", "controlplane/embedded/"))} <= {
        "deployments/dispatch.py"
    }


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


def swallows_everything(tree: ast.Module) -> bool:
    """Whether some handler catches all errors and does not raise again at its end."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or (isinstance(node.type, ast.Name) and node.type.id in BROAD)
            last = node.body[-1]
            if broad and not (isinstance(last, ast.Raise) and last.exc is None):
                return True
    return False


def test_only_the_executor_swallows_everything_and_it_records_it():
    assert {name for name, tree in modules() if swallows_everything(tree)} <= {"deployments/pipelines/executor.py"}


def test_every_file_is_one_room():
    long = {
        name: lines
        for package in PACKAGES
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
