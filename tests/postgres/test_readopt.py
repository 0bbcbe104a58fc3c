"""Re-adopting a target while a job of ours begins there: what that job writes stays its own."""

from deployments.postgres.lives import readopt
from tests.postgres.places import Place

HISTORY = (
    "INSERT INTO locktender.history (run, job, fence, migration, direction, checksum, script_sha256, statements)"
    " VALUES (1, {0}, 1, 'm{0}', 'forward', '', '', 1)"
)
STATEMENT = (
    "INSERT INTO locktender.statement (job, migration, direction, position, fence, state, sql, post_condition)"
    " VALUES ({0}, 'm{0}', 'forward', 1, 1, 'intent', 'VACUUM', '')"
)
BATCH = (
    "INSERT INTO locktender.batch (job, migration, direction, position, fence, sql)"
    " VALUES ({0}, 'm{0}', 'forward', 1, 1, 'DELETE')"
)
FOREIGN, OURS = 5, 9


def write_as(place: Place, job: int) -> None:
    place.do(*(text.format(job) for text in (HISTORY, STATEMENT, BATCH)))


def test_only_what_was_there_before_anybody_was_asked_is_of_another_life(place):
    write_as(place, FOREIGN)
    known: set[int] = set()

    def asked() -> set[int]:
        answer = set(known)
        if not known:  # the job is known here from this moment on, and writes there at once
            known.add(OURS)
            write_as(place, OURS)
        return answer

    readopt(place.target, control_plane_id=place.plane, known=asked)

    for table in ("history", "statement", "batch"):
        assert place.rows(f"SELECT job, migration FROM locktender.{table} ORDER BY 1") == [
            (-FOREIGN, f"m{FOREIGN}"),
            (OURS, f"m{OURS}"),
        ]
