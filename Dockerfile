# One image for all processes of docker-compose.yml. docs/operations.md says how it is used.
FROM python:3.11-slim AS packages
WORKDIR /build
COPY pyproject.toml requirements.lock ./
# The locked versions with their hashes, and of them only what a server needs; uv is one of them.
RUN sed -n '/^uv==/,/# via/p' requirements.lock > uv.txt \
 && pip install --no-cache-dir --require-hashes --requirement uv.txt \
 && python -m venv --without-pip /opt/locktender \
 && uv pip install --no-cache --compile-bytecode --python /opt/locktender \
    --require-hashes --extra server --requirement pyproject.toml --constraint requirements.lock

FROM python:3.11-slim
# pg_dump must not be older than the newest target, so it comes from PostgreSQL's own repository, which this package knows.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates postgresql-common \
 && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
 && apt-get install --yes --no-install-recommends postgresql-client-18 \
 && rm -rf /var/lib/apt/lists/*
# The mount point of the artifacts is this user's alone; a new volume takes that over.
RUN groupadd --gid 10001 locktender \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin locktender \
 && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/locktender
ENV PATH=/opt/locktender/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /srv/locktender
COPY --from=packages /opt/locktender /opt/locktender
COPY LICENSE manage.py ./
COPY backup_drivers backup_drivers
COPY checks checks
COPY controlplane controlplane
COPY deployments deployments
COPY static static
COPY templates templates
# The settings want to be complete; these words connect to nothing and stay in this line.
RUN SECRET_KEY=build DATABASE_URL=postgresql://build@build/build REDIS_URL=redis://build ARTIFACTS=/build \
    python manage.py collectstatic --noinput --verbosity=0 \
 && python -m compileall -q checks controlplane deployments \
 && chmod -R a+rX .
USER 10001:10001
EXPOSE 8000
CMD ["python", "-m", "gunicorn", "--config", "python:controlplane.gunicorn", "--bind", "0.0.0.0:8000"]
