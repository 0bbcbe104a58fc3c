"""What people do to a run while it is under way, and what dies while they do: cancel, pause, end a session, drain."""

import signal
import time
import uuid
from contextlib import closing

from deployments.actors import COMMAND_LINE, person
from deployments.authority import NotAllowed
from deployments.models import Job, SessionEnd, User
from deployments.services import decide, drain, pause
from deployments.services.end_session import SessionNotInTheWay, in_the_way, request_end
from deployments.states import JobState
from tests.faults.cases import Case
from tests.faults.places import ON_CALL, asked, requester
from tests.faults.processes import send


def cancel(case: Case, *, then_kill: bool = False) -> str:
    """Ask the run to stop, and perhaps kill the executor right away."""
    pid = case.holder() if then_kill or case.random.random() < 0.7 else None
    waited = case.pause(1.5)
    where = case.where()
    try:
        decide.request_cancel(case.run, actor=requester())
    except NotAllowed:
        return f"asked after {waited:.1f} s, too late"
    if pid is not None and then_kill:
        time.sleep(case.random.choice((0, 0.02, 0.1, 0.3)))
        send(pid, signal.SIGKILL)
    return f"asked after {waited:.1f} s, in {where}" + (", then killed" if then_kill else "")


def rest(case: Case, *, then_kill: bool = False, then_cancel: bool = False) -> str:
    """Ask the run to pause, let it rest or kill its executor meanwhile, and let it go on, or cancel it there."""
    told = []
    for _ in range(case.random.randint(1, 2)):
        pid = case.holder()
        case.pause(1.2)
        where = case.where()
        try:
            pause.request_pause(case.run, reason="A fault", actor=requester())
        except (pause.NothingToPause, NotAllowed):
            break
        if then_kill and pid is not None:
            time.sleep(case.random.choice((0, 0.05, 0.2)))
            send(pid, signal.SIGKILL)
        if case.random.random() < 0.7:
            case.until(lambda: case.job_state() == JobState.QUEUED, seconds=20)
        told.append(f"{where}{', killed' * then_kill}, then {case.job_state()} {case.where()}")
        if then_cancel:
            case.pause(0.3)
            return f"asked in {told[-1]}; {cancel(case)}"
        case.pause(0.3)
        pause.resume(case.run, reason="Go on", actor=requester())
    return f"asked in {'; in '.join(told) or 'vain'}"


def end_session(case: Case) -> str:
    """Stand in the way, have somebody with the right end that session, and perhaps kill the executor right then."""
    with closing(case.place.connect()) as reader:  # which may be ended meanwhile
        reader.execute("BEGIN")
        reader.execute("LOCK TABLE effects IN SHARE MODE")
        pid = case.holder()
        if not case.until(lambda: any(True for _ in in_the_way(case.run)), seconds=30):
            return "never stood in the way"
        try:
            noor = person(User.objects.get(username=ON_CALL))
            number = reader.info.backend_pid
            wish = request_end(case.run, pid=number, reason="A fault", request_key=uuid.uuid4(), actor=noor)
        except (SessionNotInTheWay, NotAllowed) as refusal:
            return f"asked too late: {type(refusal).__name__}"
        killed = case.random.random() < 0.5 and pid is not None and send(pid, signal.SIGKILL)
        case.until(lambda: SessionEnd.objects.filter(pk=wish.pk, done_at__isnull=False).exists(), seconds=10)
        return f"ended the session in the way{', killed' * killed}, in {case.where()}"


def drained(case: Case) -> str:
    """Drain while the run is under way or about to begin, kill somebody meanwhile, and end the drain."""
    begun = case.random.random() < 0.7
    pid = case.holder() if begun else None
    case.pause(0.8)
    drain.begin_drain(reason="A fault", actor=COMMAND_LINE)
    try:
        before = asked(lambda: Job.objects.values_list("claims", flat=True).get(pk=case.job.pk))
        where = case.where()
        if pid is not None and case.random.random() < 0.5:
            send(pid, signal.SIGKILL)
        for name in case.random.sample(["worker", "dispatcher-1", "dispatcher-2"], k=2):
            case.world.supervisor.kill(name)
        over = case.until(lambda: False, seconds=3) or case.is_over
        if not before and asked(lambda: Job.objects.values_list("claims", flat=True).get(pk=case.job.pk)):
            return case.wrong("its job was begun in a drain")
    finally:
        drain.end_drain(actor=COMMAND_LINE)
    return f"drained in {where}, {'over' if over else 'not over'} at its end"
