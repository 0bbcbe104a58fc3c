# Every target is one line. `make` alone lists them.
PYTHON ?= python3
RUN = .venv/bin/python
# Our programs start many others: without what Python keeps compiled, every start takes twice as long and more.
export PYTHONDONTWRITEBYTECODE =

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

demo: .venv/ready ## Play the whole story on this machine, then serve it (ARGS=--exit ends after the story)
	$(RUN) -m demo $(ARGS)

demo-kill: .venv/ready ## Beside `make demo`: kill worker and executor in the middle of a backfill, and see it go on
	$(RUN) -m demo kill

dev: .venv/ready ## Serve on this machine with own PostgreSQL and Redis (ARGS=PORT)
	$(RUN) -m controlplane.local dev $(ARGS)

manage: .venv/ready ## Run a command of the product beside `make dev` (ARGS='plan …')
	$(RUN) -m controlplane.local run $(RUN) manage.py $(ARGS)

test: .venv/ready ## Run every test against real servers
	$(RUN) -m pytest -n auto --dist worksteal $(ARGS)

faults: .venv/ready ## Kill, halt and cut off a real installation; the last line says what came of it (ARGS=20)
	$(RUN) -m tests.faults $(ARGS)

commits: .venv/ready ## Cut connections around a COMMIT, and crash servers there; the last line counts wrong verdicts (ARGS=100)
	$(RUN) -m tests.faults.commits $(ARGS)

bench: .venv/ready ## Measure against a baseline; the last line is the figure (ARGS=pipeline)
	$(RUN) -m benchmarks $(ARGS)

check: format-check lint types contracts dependencies templates own-migrations ## Everything that needs no test run

format: .venv/ready ## Format the code
	$(RUN) -m ruff format .

format-check: .venv/ready
	$(RUN) -m ruff format --check .

lint: .venv/ready
	$(RUN) -m ruff check .

types: .venv/ready
	$(RUN) -m controlplane.local run $(RUN) -m mypy

contracts: .venv/ready
	$(RUN) .venv/bin/lint-imports

dependencies: .venv/ready
	$(RUN) -m deptry .

templates: .venv/ready
	git ls-files -z 'templates/*.html' | xargs -0r .venv/bin/djade --check

own-migrations: .venv/ready
	$(RUN) -m controlplane.local run sh -c '$(RUN) manage.py makemigrations --check --dry-run && $(RUN) manage.py check_own_migrations'

lock: .venv/ready ## Resolve the dependencies anew
	$(RUN) -m uv pip compile --quiet --universal --generate-hashes --no-header --extra server --extra local --extra dev pyproject.toml --output-file requirements.lock

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet uv==0.13.9 || true
	$(RUN) -m uv pip install --quiet --python .venv --require-hashes -r requirements.lock || $(RUN) -m pip install --quiet --require-hashes -r requirements.lock
	$(RUN) -m pip install --quiet --no-deps --editable .
	touch .venv/ready

.PHONY: help demo demo-kill dev manage test faults commits bench check format format-check lint types contracts dependencies templates own-migrations lock
