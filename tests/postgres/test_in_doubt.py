"""A connection that is cut: what the executor says afterwards is what the database did, and it was done once."""

import random
import threading

import pytest

from deployments.postgres.errors import TargetUnreachable
from deployments.postgres.stopped import CancelledOnRequest, InDoubt
from tests.postgres.places import Desk, Place, script
from tests.postgres.proxy import DOWN, UP, Link, Proxy

COMMIT = b"COMMIT\0"


@pytest.fixture
def marked(place) -> Place:
    """A place where every run of a migration leaves a mark, so that two runs leave two."""
    place.do("CREATE TABLE marks (migration int)")
    return place


def marking(number: int):
    text = f"CREATE TABLE made_{number} (id int); INSERT INTO marks VALUES ({number}); SELECT repeat('x', 500)"
    return script(text, f"{number:03}_marking")


def happened(place: Place, number: int) -> int:
    """Return how often a migration happened, if everything that can tell agrees."""
    marks = place.rows("SELECT count(*) FROM marks WHERE migration = %s", number)[0][0]
    entries = place.rows("SELECT count(*) FROM locktender.history WHERE job = %s", number)[0][0]
    tables = int(f"made_{number}" in place.tables())
    assert marks == entries == tables
    return marks


class Cut:
    """Cuts one connection, once, after so many bytes in both directions."""

    def __init__(self, at_byte: int, *, server_too: bool, then: threading.Event | None = None) -> None:
        self.left = at_byte
        self.done = False
        self._server_too = server_too
        self._then = then
        self._lock = threading.Lock()

    def __call__(self, link: Link, direction: str, data: bytes) -> bytes:
        with self._lock:
            if self.done or self.left >= len(data):
                self.left -= len(data)
                return data
            self.done = True
        if self._then:
            self._then.set()
        whole, drain = data[: self.left], link.server if direction is UP else link.client
        drain.sendall(whole)
        link.cut(server_too=self._server_too)
        return b""


def bytes_of_a_run(place: Place, proxy: Proxy, target, number: int) -> int:
    counter = Cut(10**9, server_too=True)
    proxy.rule = counter
    with place.desk(job=number, target=target) as desk:
        desk.run(marking(number))
    return 10**9 - counter.left


@pytest.mark.parametrize("seed", range(4))
def test_wherever_the_connection_is_cut_the_migration_happens_once(marked, monkeypatch, seed):
    dice = random.Random(seed)  # noqa: S311 # the same places every time
    with Proxy(marked.url) as proxy:
        target = marked.at(proxy.url, monkeypatch)
        length = bytes_of_a_run(marked, proxy, target, 999)
        for number in range(1, 16):
            proxy.rule = cut = Cut(dice.randrange(length), server_too=dice.random() < 0.5)
            with marked.desk(job=number, target=target) as desk:
                desk.run(marking(number))
            assert cut.done
            assert happened(marked, number) == 1, (seed, number)


@pytest.mark.parametrize("seed", range(2))
def test_a_cancel_at_the_moment_of_the_cut_gets_the_answer_that_is_true(marked, monkeypatch, seed):
    dice = random.Random(seed)  # noqa: S311 # the same places every time
    said: set[int] = set()
    with Proxy(marked.url) as proxy:
        target = marked.at(proxy.url, monkeypatch)
        length = bytes_of_a_run(marked, proxy, target, 999)
        # Beside places by chance, the last ones: that is where COMMIT and its answer are.
        places = [dice.randrange(length) for _ in range(6)] + list(range(length - 80, length, 10))
        for number, at_byte in enumerate(places, start=1):
            with marked.desk(job=number, target=target) as desk:
                proxy.rule = Cut(at_byte, server_too=dice.random() < 0.5, then=desk.stop.asked)
                said.add(verdict(desk, number))
                assert happened(marked, number) == int(ran(desk)), (seed, number, at_byte)
    assert said == {0, 1}


def refused_with(error: type[Exception], desk: Desk, *, match: str) -> None:
    with pytest.raises(error, match=match):
        desk.run(marking(1))


def verdict(desk: Desk, number: int) -> int:
    try:
        desk.run(marking(number))
    except CancelledOnRequest:
        desk.lines.append("refused")
    return int(ran(desk))


def ran(desk: Desk) -> bool:
    return "refused" not in desk.lines


def test_a_commit_whose_answer_never_came_is_found_and_not_done_again(marked, monkeypatch):
    def rule(link, direction, data):
        if direction is UP and COMMIT in data and not cuts:
            cuts.append(link)
            link.server.sendall(data)
            link.cut(server_too=False)
            return b""
        return data

    cuts: list[Link] = []
    with Proxy(marked.url, rule) as proxy, marked.desk(job=1, target=marked.at(proxy.url, monkeypatch)) as desk:
        desk.run(marking(1))

    assert (len(cuts), happened(marked, 1)) == (1, 1)


def test_a_commit_that_never_arrived_is_not_taken_for_one_and_the_file_is_run_again(marked, monkeypatch):
    def rule(link, direction, data):
        if direction is UP and COMMIT in data and not cuts:
            cuts.append(link)
            link.cut()
            return b""
        return data

    cuts: list[Link] = []
    with Proxy(marked.url, rule) as proxy, marked.desk(job=1, target=marked.at(proxy.url, monkeypatch)) as desk:
        desk.run(marking(1))

    assert desk.lines == ["001_marking: the connection was lost before the commit; nothing of it was applied"]
    assert (len(cuts), happened(marked, 1)) == (1, 1)


def test_a_commit_that_is_still_on_its_way_finds_its_session_gone(marked, monkeypatch):
    """The client is told of a lost connection while the network still carries its COMMIT."""

    def rule(link, direction, data):
        if direction is UP and COMMIT in data and not late:
            late.append(link)
            link.held.append(data)
            link.cut(server_too=False)
            return b""
        return data

    late: list[Link] = []

    def tell(sent):
        if late and sent.number == 1:  # the second try has begun: only now does the first COMMIT arrive
            late[0].server.sendall(late[0].held[0])

    with (
        Proxy(marked.url, rule) as proxy,
        marked.desk(job=1, target=marked.at(proxy.url, monkeypatch), tell=tell) as desk,
    ):
        desk.run(marking(1))

    assert (len(late), happened(marked, 1)) == (1, 1)


def test_a_server_that_stays_away_after_the_cut_is_a_doubt_and_not_a_no(marked, monkeypatch):
    monkeypatch.setattr("deployments.postgres.transactional.RECONNECT_PATIENCE", 0.3)

    def rule(link, direction, data):
        if away or (direction is UP and COMMIT in data):
            is_first = not away
            away.append(link)  # before the server can answer, or the answer gets through
            if is_first:
                link.server.sendall(data)
            link.cut(server_too=False)
            return b""
        return data

    away: list[Link] = []
    with Proxy(marked.url, rule) as proxy, marked.desk(job=1, target=marked.at(proxy.url, monkeypatch)) as desk:
        refused_with(InDoubt, desk, match="It is not known whether 001_marking happened")

    assert happened(marked, 1) == 1  # which nobody could know


def test_a_target_that_refuses_us_after_the_cut_is_a_doubt_and_not_a_no(marked, monkeypatch):
    """As after a failover: the address leads to a standby, or to a server that does not know us."""
    monkeypatch.setattr("deployments.postgres.transactional.RECONNECT_PATIENCE", 0.3)

    def rule(link, direction, data):
        if direction is UP and COMMIT in data:
            monkeypatch.setenv("TARGET_ELSEWHERE", f"{marked.url} password=changed-meanwhile")
            link.cut(server_too=False)  # before the server is told, or its answer may be quicker
            link.server.sendall(data)
            return b""
        return data

    with Proxy(marked.url, rule) as proxy, marked.desk(job=1, target=marked.at(proxy.url, monkeypatch)) as desk:
        refused_with(InDoubt, desk, match="refused the role or its password")

    assert happened(marked, 1) == 1


def test_a_connection_that_is_lost_every_time_is_given_up_with_nothing_applied(marked, monkeypatch):
    def rule(link, direction, data):
        if direction is UP and b"made_1" in data:
            link.cut()
            return b""
        return data

    with Proxy(marked.url, rule) as proxy, marked.desk(job=1, target=marked.at(proxy.url, monkeypatch)) as desk:
        refused_with(TargetUnreachable, desk, match="the connection was lost 5 times")

    assert happened(marked, 1) == 0


def test_a_session_ended_by_an_administrator_is_looked_into_and_the_file_run_again(marked, meanwhile):
    ended: list[int] = []

    def tell(sent):
        if sent.number == 3 and not ended:
            ended.extend(marked.sessions("state = 'idle in transaction'"))
            marked.rows("SELECT pg_terminate_backend(%s)", *ended)

    with marked.desk(job=1, tell=tell) as desk:
        desk.run(marking(1))

    assert len(desk.lines) == len(ended) == 1
    assert happened(marked, 1) == 1


def test_the_answer_alone_may_be_lost(marked, monkeypatch):
    answers: list[bytes] = []

    def rule(link, direction, data):
        if direction is DOWN and b"COMMIT\0" in data and not answers:
            answers.append(data)
            link.cut()
            return b""
        return data

    with Proxy(marked.url, rule) as proxy, marked.desk(job=1, target=marked.at(proxy.url, monkeypatch)) as desk:
        desk.run(marking(1))

    assert (len(answers), desk.lines, happened(marked, 1)) == (1, [], 1)
