"""What the first door of a way back says: what is proven of its scripts, what they cost now, how long, which locks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checks.losses import Losses
from checks.rehearsal.proof import Outcome, Proof, measured_words, range_words, scaled
from checks.words import plural
from deployments.models import Database, MigrationRun, Observation
from deployments.selectors.clone_times import bytes_in
from deployments.selectors.lane import Entries, Tried, tried
from deployments.selectors.script_price import ScriptCost, cost_of
from deployments.selectors.versions import Versions, versions_around

WAITS = {
    "AccessExclusiveLock": "reads and writes wait",
    "ExclusiveLock": "writes wait",
    "ShareRowExclusiveLock": "writes wait",
    "ShareLock": "writes wait",
}
"""Who of an application waits for a lock; for the weaker ones nobody does."""
STRENGTH = [
    "AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock",
    "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock",
]  # fmt: skip
MOST_TOLD = 3


@dataclass(frozen=True, slots=True)
class Takes:
    """How long the scripts took on a clone, of what size, and what follows for here: a range, or None if not known."""

    clone: float  # seconds, as those of `here`
    clone_bytes: int
    here: tuple[float, float] | None

    @property
    def range(self) -> str:
        """What is expected here, as people say it; "" if not known."""
        return range_words(*self.here) if self.here else ""

    @property
    def on_the_clone(self) -> str:
        """What was measured."""
        return measured_words(self.clone)


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that was the strongest on some relations of the clone, and who waits for it; "" if nobody does."""

    relations: tuple[str, ...]
    mode: str
    waits: str


@dataclass(frozen=True, slots=True)
class Say:
    """The verdict: a sign, the sentence that matters, and a plain one."""

    kind: str
    icon: str
    say: str
    plain: str
    aged: bool = False


@dataclass(frozen=True, slots=True)
class ScriptDoor:
    """The way back by script as far as it is known, apart from its plan."""

    tried: tuple[Tried, ...]
    cost: ScriptCost
    takes: Takes | None
    locks: tuple[Lock, ...]
    versions: Versions
    lost: Losses  # as the text tells
    names: tuple[str, ...]  # of what the text destroys

    @property
    def worst(self) -> Tried | None:
        """What decides: the database of which least is proven."""
        return next((one for one in self.tried if one.outcome is not Outcome.RESTORES), next(iter(self.tried), None))

    @property
    def outcome(self) -> Outcome | None:
        """One of the three; None where exactly these scripts were not rehearsed."""
        return self.worst.outcome if self.worst else None

    @property
    def is_proven(self) -> bool:
        """Whether it was tried and does what it says."""
        return self.outcome in {Outcome.RESTORES, Outcome.LOSES}

    @property
    def word(self) -> str:
        """The outcome in two or three words."""
        words = {Outcome.RESTORES: "Restores everything", Outcome.LOSES: "Loses named data"}
        return words.get(self.outcome, "Not proven") if self.outcome else "Not rehearsed"

    @property
    def drops(self) -> bool:
        """Whether its text destroys something, or may."""
        return bool(self.lost.tables or self.lost.schemas or self.lost.unknown)

    @property
    def loses(self) -> bool:
        """Whether something is lost, or may be: then a name is typed. A count goes before what the text tells."""
        return self.outcome is Outcome.LOSES or (self.cost.loses if self.cost.is_counted else self.drops)

    @property
    def is_uncounted(self) -> bool:
        """Whether a price could be had, and is not there."""
        return self.drops and not self.cost.is_counted

    @property
    def going(self) -> list[str]:
        """What goes, as sentences without their ends."""
        return [dropped_in_words(one) for one in self.cost.going]

    @property
    def unfit(self) -> list[str]:
        """In what respects rows do not fit the old schema, or may not."""
        return [unfit_in_words(one) for one in self.cost.unfit]

    @property
    def verdict(self) -> Say:
        """What is said first."""
        return _verdict(self)

    @property
    def lost_in_short(self) -> str:
        """What is lost, for the bar of a phone."""
        if self.is_uncounted:
            return "what is dropped is not counted"
        return "loses data" if self.loses else "nothing lost"


def script_door(
    run: MigrationRun, back: Entries, lost: Losses, names: Sequence[str], read: Mapping[Database, Observation]
) -> ScriptDoor:
    """Return what is known of going back from a run by these scripts, latest first."""
    found = tried(run, back)
    proofs = {one.proven.database: one.proven.proof for one in found if one.outcome and one.proven.proof}
    wanted = {entry["name"] for entry in back}
    sizes = {database.pk: bytes_in(seen) or 0 for database, seen in read.items()}
    takes = [_takes(proof, wanted, sizes.get(place.pk, 0)) for place, proof in proofs.items()]
    return ScriptDoor(
        tried=found,
        cost=cost_of(run, back),
        takes=max(takes, key=lambda one: one.clone, default=None),
        locks=_locks(proofs.values(), wanted),
        versions=versions_around(run),
        lost=lost,
        names=tuple(names),
    )


def dropped_in_words(one: Mapping[str, Any]) -> str:
    """Return what goes with one table or column, as a sentence without its end."""
    if one["count"] is None:
        return f"{one['what']} of {one['name']}: not known how many"
    most = "" if one["sure"] == "exact" else "at most "
    told = f"{most}{one['count']:,} {one['what']} of {one['name']}"
    if not one["count"]:
        return told
    if one["since"] is not None:
        least = "" if one["what"] == "rows" or not one["since"] else "at most "
        told += f", {most or least}{one['since']:,} written since"
    if one["underivable"] is not None:
        told += f", {one['underivable']:,} that cannot be derived again"
    return told


def unfit_in_words(one: Mapping[str, Any]) -> str:
    """Return in what respect rows do not fit the old schema, or may not."""
    if one["count"] is None:
        return f"{one['what']}: not counted. {one['why']}"
    return f"{one['count']:,} {plural(one['count'], 'row')}: {one['what']}"


def _verdict(door: ScriptDoor) -> Say:  # noqa: PLR0911 # one per outcome and price
    price = _price(door)
    takes = f"Takes about {door.takes.range}." if door.takes and door.takes.range else ""
    tables = ", ".join(door.names)
    if door.outcome is Outcome.NOT_PROVEN:
        return Say(
            "fail",
            "octagon-x",
            f"The scripts are {door.worst.sentence if door.worst else ''}.",
            f"So it was on a clone. {price}",
        )
    if door.outcome is None:
        why = door.worst.why.capitalize() if door.worst else "Not rehearsed"
        if door.names:
            say = f"The scripts undo the run and destroy data in {tables}."
            return Say("fail", "octagon-x", say, f"{why}. {price}")
        if door.lost.unknown:
            return Say("unknown", "unknown", "We cannot tell what the scripts destroy.", f"{why}. {price}", aged=True)
        say = "The scripts undo the run. Their text destroys no data."
        return Say("back", "undo-2", say, f"{why}. What triggers do is not in the text. {price}")
    if door.outcome is Outcome.LOSES:
        say = f"Proven: it {door.worst.sentence if door.worst else ''}."
        return Say("fail", "octagon-x", say, f"{price} {takes}")
    if door.is_uncounted:
        say = "Proven: restores everything there was. What goes now was not counted."
        return Say("unknown", "unknown", say, f"{price} {takes}", aged=True)
    if door.cost.loses:
        return Say(
            "fail",
            "octagon-x",
            f"Restores everything there was. {door.cost.beyond or 'What is declared irreversible is lost.'}",
            f"{price} {takes}",
        )
    return Say("ok", "circle-check", "The scripts restore everything. Nothing is lost.", f"{price} {takes}")


def _price(door: ScriptDoor) -> str:
    """Return what goes now, and what does not fit, in sentences."""
    if not door.cost.is_counted:
        if not door.drops:
            return ""
        also = f" More may be lost: {'; '.join(door.lost.unknown[:MOST_TOLD])}." if door.lost.unknown else ""
        reason = f" It could not be counted: {door.cost.reason}" if door.cost.reason else ""
        return f"How many rows: not measured.{also}{reason}"
    going = [dropped_in_words(one) for one in door.cost.going]
    told = [f"Dropped: {_some(going)}."] if going else []
    unfit = [unfit_in_words(one) for one in door.cost.unfit if one["count"]]
    told += [f"Rows that do not fit the old schema: {_some(unfit)}."] if unfit else []
    return " ".join(told)


def _some(told: Sequence[str]) -> str:
    more = f"; and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
    return f"{'; '.join(told[:MOST_TOLD])}{more}"


def _takes(proof: Proof, wanted: set[str], target_bytes: int) -> Takes:
    seconds = sum(one.seconds for one in proof.traced if one.direction == "rollback" and one.migration in wanted)
    here = scaled(seconds, clone_bytes=proof.clone_bytes, target_bytes=target_bytes)
    return Takes(seconds, proof.clone_bytes, here)


def _locks(proofs: Any, wanted: set[str]) -> tuple[Lock, ...]:
    strongest: dict[str, str] = {}
    for proof in proofs:
        for one in proof.traced:
            if one.direction == "rollback" and one.migration in wanted:
                for relation, mode in one.locks:
                    strongest[relation] = max(strongest.get(relation, mode), mode, key=_strength)
    return tuple(
        Lock(tuple(sorted(one for one in strongest if strongest[one] == mode)), mode, WAITS.get(mode, ""))
        for mode in sorted(set(strongest.values()), key=_strength, reverse=True)
    )


def _strength(mode: str) -> int:
    return STRENGTH.index(mode) if mode in STRENGTH else len(STRENGTH)
