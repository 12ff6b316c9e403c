"""Deliveries and turns: whatever asks about a user is written down first, and one at a time looks.

A delivery that was accepted stays open until each of its users has been answered. Each user has one *turn*: who holds
it looks at the user, round after round, until nobody asks any more. So a thousand deliveries about one user are a
handful of looks, and a look always begins after the last question that it answers.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from respond.models.base import iso_z
from respond.models.intake import Accepted, Ask, Begun, Delivery, Round, Rounds, Sighting, Trigger
from respond.models.owed import Owed, OwedKind
from respond.observe.setbacks import SETBACKS
from respond.present import present
from respond.store import owed
from respond.store.database import asks, deliveries, keys, rounds, sightings, turns, writing

ECHO_FOR = timedelta(hours=1)
"""For so long, the same said again is taken for an echo; after that somebody wants to know anew."""

_ACCEPTED, _WAITING, _ASKED = "accepted", "waiting", "asked"
_ANSWERED, _REPEATED, _GIVEN_UP = "answered", "repeated", "given-up"
_OPEN = (_ACCEPTED, _WAITING, _ASKED)
_AT_ONCE = 500
_CLOCKS_DIFFER = timedelta(seconds=10)
"""As much as the clocks of two machines may."""
_EARLY = 0.1
"""Share of a pause by which a round may be early: timers are not exact."""


class Intake:
    """The part of the state database that says who has to be answered."""

    def __init__(self, database: sa.Engine) -> None:
        self._db = database

    def accept(self, delivery: Delivery, *, is_over: bool = False) -> Accepted:
        """Write a delivery down, unless it was written down before or repeats one that was a short while ago.

        Args:
            is_over: nothing has to be done for it.
        """
        mine = (deliveries.c.tenant == delivery.tenant) & (deliveries.c.key == delivery.key)
        with writing(self._db, "delivery", delivery.tenant, delivery.digest or delivery.key) as db:
            if (known := db.execute(sa.select(deliveries.c.repeats).where(mine)).scalar_one_or_none()) is not None:
                db.execute(sa.update(deliveries).where(mine).values(times=deliveries.c.times + 1))
                key = known or delivery.key
                return Accepted(key=key, duplicate=True, cases=_cases_of(db, delivery.tenant, key))
            earlier = _same_said(db, delivery)
            state = _REPEATED if earlier else _ANSWERED if is_over else _ACCEPTED
            db.execute(sa.insert(deliveries).values(**_row(delivery), state=state, repeats=earlier))
            if not earlier:
                return Accepted(key=delivery.key, duplicate=False)
            found = _cases_of(db, delivery.tenant, earlier)
            for case in found:
                see(db, case, (delivery.sighting,))
            return Accepted(key=earlier, duplicate=True, cases=found)

    def accept_for(self, delivery: Delivery, reason: str, *, now: datetime, pauses: Sequence[timedelta]) -> None:
        """Write down a delivery that is begun later, because a service does not answer now. Once for each key."""
        mine = (deliveries.c.tenant == delivery.tenant) & (deliveries.c.key == delivery.key)
        with writing(self._db, "delivery", delivery.tenant, delivery.key) as db:
            if db.execute(sa.select(deliveries.c.key).where(mine)).first() is not None:
                return
            db.execute(sa.insert(deliveries).values(**_row(delivery), state=_ACCEPTED, repeats=""))
            _put_off(db, delivery.tenant, delivery.key, reason, now=now, pauses=pauses)

    def put_off(
        self,
        tenant: str,
        key: str,
        reason: str,
        *,
        now: datetime,
        pauses: Sequence[timedelta],
        until: datetime | None = None,
    ) -> None:
        """Begin a delivery again later, because a service does not answer now.

        Args:
            until: a moment that the service named; it is not begun before.
        """
        with writing(self._db, "delivery", tenant, key) as db:
            _put_off(db, tenant, key, reason, now=now, pauses=pauses, until=until)

    def put_off_user(
        self,
        tenant: str,
        user: str,
        reason: str,
        *,
        owner: str,
        now: datetime,
        pauses: Sequence[timedelta],
        until: datetime | None = None,
        most: int | None = None,
    ) -> bool:
        """Look at a user again later: every delivery that asks about them is begun again, and the turn is given back.

        Args:
            owner: who has the turn.
            most: tries after which it is not put off any more; None for no end.

        Returns:
            Whether it was put off.
        """
        held = (turns.c.tenant == tenant) & (turns.c.owner == owner) & (turns.c.user_id == user)
        theirs = (asks.c.tenant == tenant) & (asks.c.user_id == user) & asks.c.open
        with writing(self._db, "turn", tenant, user) as db:
            waiting = list(db.execute(sa.select(asks.c.delivery).where(theirs).order_by(asks.c.delivery)).scalars())
            if most is not None and owed.most_tries(db, tenant, OwedKind.DELIVERY, waiting) >= most:
                return False
            for key in waiting:
                _put_off(db, tenant, key, reason, now=now, pauses=pauses, until=until)
            db.execute(sa.update(turns).where(held).values(owner=""))
        return True

    def delivery(self, tenant: str, key: str) -> Delivery | None:
        """A delivery as it was accepted."""
        query = sa.select(deliveries.c.body).where(deliveries.c.tenant == tenant, deliveries.c.key == key)
        with self._db.connect() as db:
            body = db.execute(query).scalar_one_or_none()
        return Delivery.model_validate_json(body) if body else None

    def due(self, tenant: str, now: datetime) -> list[Begun]:
        """Deliveries that waited for an incident to say more, and may look again; they are at work from now on."""
        mine = (deliveries.c.tenant == tenant) & (deliveries.c.state == _WAITING) & (deliveries.c.due <= iso_z(now))
        with writing(self._db, "due", tenant) as db:
            rows = db.execute(sa.select(deliveries).where(mine)).mappings().all()
            db.execute(sa.update(deliveries).where(mine).values(state=_ACCEPTED))
        return _readable(rows)

    def prune(self, before: datetime) -> int:
        """Forget deliveries that were answered, and came before a moment; how many."""
        over = deliveries.c.state.in_((_ANSWERED, _REPEATED, _GIVEN_UP))
        old = sa.select(deliveries.c.tenant, deliveries.c.key).where(over, deliveries.c.at < iso_z(before))
        with self._db.begin() as db:
            gone: dict[str, list[str]] = {}
            for tenant, key in db.execute(old.limit(_AT_ONCE)):
                gone.setdefault(tenant, []).append(key)
            # Two tenants may have deliveries of the same key: the schedule counts in each.
            for tenant, some in gone.items():
                theirs = (asks.c.tenant == tenant) & asks.c.delivery.in_(some)
                db.execute(sa.delete(asks).where(theirs, asks.c.open.is_(False)))
                db.execute(sa.delete(deliveries).where(deliveries.c.tenant == tenant, deliveries.c.key.in_(some), over))
        return sum(map(len, gone.values()))

    def open(self, tenant: str, *, before: datetime) -> list[Begun]:
        """Deliveries that were accepted before a moment and are not answered, oldest first."""
        query = (
            sa.select(deliveries)
            .where(deliveries.c.tenant == tenant, deliveries.c.state.in_((_ACCEPTED, _ASKED)))
            .where(deliveries.c.at < iso_z(before))
            .order_by(deliveries.c.at)
        )
        with self._db.connect() as db:
            rows = db.execute(query).mappings().all()
        return _readable(rows)

    def owners(self, tenant: str, key: str) -> set[str]:
        """Who has the turns of the users that a delivery still waits for; an empty text is nobody."""
        query = (
            sa.select(turns.c.owner)
            .join(asks, (asks.c.tenant == turns.c.tenant) & (asks.c.user_id == turns.c.user_id))
            .where(asks.c.tenant == tenant, asks.c.delivery == key, asks.c.open)
        )
        with self._db.connect() as db:
            return set(db.execute(query).scalars())

    def wait(self, tenant: str, key: str, *, until: datetime) -> None:
        """Put a delivery off: its incident says too little as yet. The next try has the next number."""
        this = (deliveries.c.tenant == tenant) & (deliveries.c.key == key) & (deliveries.c.state == _ACCEPTED)
        with self._db.begin() as db:
            db.execute(
                sa.update(deliveries)
                .where(this)
                .values(state=_WAITING, due=iso_z(until), number=deliveries.c.number + 1)
            )

    def broke(self, tenant: str, key: str, *, number: int, most: int) -> bool:
        """Note that the run of a try broke; False when that was once too often, and the delivery is given up."""
        this = (deliveries.c.tenant == tenant) & (deliveries.c.key == key) & (deliveries.c.number == number)
        with writing(self._db, "broken", tenant, key) as db:
            count = db.execute(sa.select(deliveries.c.broken).where(this)).scalar_one_or_none()
            if count is None:
                return True  # another process has seen to it
            if count + 1 >= most:
                db.execute(sa.update(deliveries).where(this).values(state=_GIVEN_UP, broken=count + 1))
                owed.forget(db, tenant, OwedKind.DELIVERY, key)
                return False
            db.execute(sa.update(deliveries).where(this).values(state=_ACCEPTED, broken=count + 1, number=number + 1))
        return True

    def depth(self) -> dict[str, int]:
        """How many deliveries wait, are being answered, and have been answered."""
        query = sa.select(deliveries.c.state, sa.func.count()).group_by(deliveries.c.state)
        with self._db.connect() as db:
            return {state: count for state, count in db.execute(query).all()}  # noqa: C416 - Row is no tuple to mypy

    def is_open(self, tenant: str, key: str) -> bool:
        """Whether a delivery is still to be answered."""
        this = (deliveries.c.tenant == tenant) & (deliveries.c.key == key)
        with self._db.connect() as db:
            state = db.execute(sa.select(deliveries.c.state).where(this)).scalar()
        return state in (_ACCEPTED, _WAITING, _ASKED)

    def ask(
        self, tenant: str, key: str, questions: Sequence[Ask], *, owner: str, is_over: Callable[[str], bool]
    ) -> Rounds:
        """Note whom a delivery asks about, and take the turns that nobody has.

        Args:
            owner: who asks, and would do the looking.
            is_over: whether somebody who holds a turn has ended without giving it back.
        """
        mine: list[str] = []
        others: list[str] = []
        for question in sorted(questions, key=lambda one: one.user_id):
            taken = self._take_turn(tenant, key, question, owner, is_over)
            (mine if taken else others).append(question.user_id)
        with self._db.begin() as db:
            this = (deliveries.c.tenant == tenant) & (deliveries.c.key == key)
            db.execute(sa.update(deliveries).where(this, deliveries.c.state == _ACCEPTED).values(state=_ASKED))
            _end(db, tenant, [key])
        return Rounds(mine=tuple(mine), others=tuple(others))

    def _take_turn(self, tenant: str, key: str, question: Ask, owner: str, is_over: Callable[[str], bool]) -> bool:
        user = question.user_id
        turn = (turns.c.tenant == tenant) & (turns.c.user_id == user)
        asked = (asks.c.tenant == tenant) & (asks.c.user_id == user) & (asks.c.delivery == key)
        held = self._turn_of(tenant, user)
        over = bool(held) and held != owner and is_over(held)
        with writing(self._db, "turn", tenant, user) as db:
            if db.execute(sa.select(asks.c.delivery).where(asked)).first() is None:
                row = {"tenant": tenant, "user_id": user, "delivery": key, "at": iso_z(question.sighting.at)}
                db.execute(
                    sa.insert(asks).values(**row, body=question.model_dump_json(), run="", case_id="", open=True)
                )
            now = db.execute(sa.select(turns.c.owner).where(turn)).scalar_one_or_none()
            if now is None:
                db.execute(sa.insert(turns).values(tenant=tenant, user_id=user, owner=owner))
                return True
            free = now in ("", owner) or (over and now == held)
            if free:
                db.execute(sa.update(turns).where(turn).values(owner=owner))
            return free

    def _turn_of(self, tenant: str, user: str) -> str:
        query = sa.select(turns.c.owner).where(turns.c.tenant == tenant, turns.c.user_id == user)
        with self._db.connect() as db:
            return db.execute(query).scalar_one_or_none() or ""

    def next_round(self, tenant: str, user: str, *, owner: str, number: int, now: datetime) -> Round | None:
        """The next look at a user, or None when nobody asks any more: then the turn is given back."""
        turn = (turns.c.tenant == tenant) & (turns.c.user_id == user) & (turns.c.owner == owner)
        theirs = (asks.c.tenant == tenant) & (asks.c.user_id == user) & asks.c.open
        run = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{owner}|{user}|{number}"))
        with writing(self._db, "turn", tenant, user) as db:
            if db.execute(sa.select(turns.c.owner).where(turn)).first() is None:
                return None
            bodies = list(db.execute(sa.select(asks.c.body).where(theirs)).scalars())
            if not bodies:
                db.execute(sa.update(turns).where(turn).values(owner=""))
                return None
            db.execute(sa.update(asks).where(theirs).values(run=run))
        asked = SETBACKS.readable("question", bodies, Ask.model_validate_json, lambda _: user)
        found = sorted(asked, key=lambda one: one.sighting.at)
        return Round(
            run=run,
            user_id=user,
            since=min(one.since for one in found),
            first=found[0].sighting.at,
            now=now,
            sightings=tuple(one.sighting for one in found),
        )

    def answered(self, tenant: str, user: str, *, run: str, case: str) -> None:
        """Note that a look has answered those who asked before it began."""
        theirs = (asks.c.tenant == tenant) & (asks.c.user_id == user) & (asks.c.run == run)
        with writing(self._db, "turn", tenant, user) as db:
            told = list(db.execute(sa.select(asks.c.delivery).where(theirs)).scalars())
            db.execute(sa.update(asks).where(theirs).values(case_id=case, open=False))
            _end(db, tenant, told)

    def cases_of(self, tenant: str, key: str) -> tuple[str, ...]:
        """Cases that a delivery is known to be about."""
        with self._db.connect() as db:
            return _cases_of(db, tenant, key)

    def seen(self, case: str, found: Iterable[Sighting]) -> None:
        """Note who brought a case; what is noted already stays."""
        with writing(self._db, "case", case) as db:
            see(db, case, found)

    def sightings(self, case: str) -> tuple[Sighting, ...]:
        """Who brought a case, first one first."""
        query = sa.select(sightings).where(sightings.c.case_id == case)
        with self._db.connect() as db:
            rows = db.execute(query).mappings().all()
        found = (
            Sighting.from_row(
                path=row["path"], ref=row["ref"], at=datetime.fromisoformat(row["at"]), incident=row["incident"]
            )
            for row in rows
        )
        return tuple(sorted(found, key=lambda one: (one.at, one.ref)))

    def known_keys(self, tenant: str, wanted: Iterable[str]) -> Mapping[str, str]:
        """Which of these sign-in keys belong to a case, and to which."""
        values = sorted(set(wanted))
        found: dict[str, str] = {}
        with self._db.connect() as db:
            for start in range(0, len(values), _AT_ONCE):
                query = sa.select(keys.c.key, keys.c.case_id).where(
                    keys.c.tenant == tenant, keys.c.key.in_(values[start : start + _AT_ONCE])
                )
                found |= {row.key: row.case_id for row in db.execute(query)}
        return found

    def last_arrival(self, tenant: str) -> datetime | None:
        """Up to which time of arrival the last round looked that came to its end."""
        done = (rounds.c.tenant == tenant) & (rounds.c.result != "") & (rounds.c.arrived_until != "")
        query = sa.select(rounds.c.arrived_until).where(done).order_by(rounds.c.number.desc()).limit(1)
        with self._db.connect() as db:
            text = db.execute(query).scalar_one_or_none()
        return datetime.fromisoformat(text) if text else None

    def take_round(self, tenant: str, *, owner: str, now: datetime, every: timedelta) -> int | None:
        """Take the next round of the schedule; its number, or None when the last one began too short a while ago.

        Rounds are counted, whatever the clock says: one that began in the future was numbered under another clock, and
        keeps nobody from looking. Old ones are forgotten.
        """
        mine = rounds.c.tenant == tenant
        with writing(self._db, "schedule", tenant) as db:
            newest = sa.select(rounds.c.number, rounds.c.started).where(mine).order_by(rounds.c.number.desc()).limit(1)
            last = db.execute(newest).one_or_none()
            since = now - datetime.fromisoformat(last.started) if last else every
            if -_CLOCKS_DIFFER < since < every - _EARLY * every:
                return None
            number = int(last.number) + 1 if last else 1
            db.execute(sa.delete(rounds).where(mine, rounds.c.number < number - _AT_ONCE))
            db.execute(
                sa.insert(rounds).values(
                    tenant=tenant, number=number, owner=owner, started=iso_z(now), arrived_until="", result=""
                )
            )
        return number

    def end_round(self, tenant: str, number: int, *, arrived_until: datetime, result: str) -> None:
        """Note how far a round has looked."""
        with self._db.begin() as db:
            db.execute(
                sa.update(rounds)
                .where(rounds.c.tenant == tenant, rounds.c.number == number)
                .values(arrived_until=iso_z(arrived_until), result=result)
            )


def see(db: sa.Connection, case: str, found: Iterable[Sighting]) -> None:
    """Note within a transaction who brought a case."""
    theirs = sa.select(sightings.c.path, sightings.c.ref).where(sightings.c.case_id == case)
    known = {(row.path, row.ref) for row in db.execute(theirs)}
    for one in found:
        # The schedule looks every few minutes; when it first saw a case is what counts.
        ref = "" if one.path is Trigger.SCHEDULE else one.ref
        if (one.path.value, ref) not in known:
            known.add((one.path.value, ref))
            db.execute(
                sa.insert(sightings).values(
                    case_id=case, path=one.path.value, ref=ref, at=iso_z(one.at), incident=one.incident
                )
            )


def _same_said(db: sa.Connection, delivery: Delivery) -> str:
    """The key of a recent delivery that says the same, or an empty text."""
    if not delivery.digest:
        return ""
    # One of a time to come was dated by a clock that was wrong.
    recent = deliveries.c.at.between(iso_z(delivery.at - ECHO_FOR), iso_z(delivery.at + _CLOCKS_DIFFER))
    query = (
        sa.select(deliveries.c.key)
        .where(
            deliveries.c.tenant == delivery.tenant,
            deliveries.c.digest == delivery.digest,
            deliveries.c.state.not_in((_REPEATED, _GIVEN_UP)),
            # One that is not answered yet will answer this one as well, however long that takes.
            sa.or_(recent, deliveries.c.state.in_(_OPEN)),
        )
        .order_by(deliveries.c.at.desc())
    )
    return db.execute(query.limit(1)).scalar_one_or_none() or ""


def _row(delivery: Delivery) -> dict[str, Any]:
    return {
        "tenant": delivery.tenant,
        "key": delivery.key,
        "digest": delivery.digest,
        "path": delivery.path.value,
        "at": iso_z(delivery.at),
        "sender": delivery.by,
        "incident": delivery.notice.incident_key,
        "times": 1,
        "number": 0,
        "broken": 0,
        "due": "",
        "body": delivery.model_dump_json(),
    }


def _readable(rows: Sequence[sa.RowMapping]) -> list[Begun]:
    return SETBACKS.readable("delivery", rows, _begun, lambda row: row["key"])


def _begun(row: sa.RowMapping) -> Begun:
    return Begun(delivery=Delivery.model_validate_json(row["body"]), number=row["number"], asked=row["state"] == _ASKED)


def _cases_of(db: sa.Connection, tenant: str, key: str) -> tuple[str, ...]:
    query = sa.select(asks.c.case_id).where(asks.c.tenant == tenant, asks.c.delivery == key, asks.c.case_id != "")
    return tuple(sorted(set(db.execute(query).scalars())))


def _end(db: sa.Connection, tenant: str, told: Iterable[str]) -> None:
    """Deliveries of which nobody is left to be answered are answered."""
    for key in set(told):
        left = sa.select(asks.c.user_id).where(asks.c.tenant == tenant, asks.c.delivery == key, asks.c.open)
        if db.execute(left.limit(1)).first() is None:
            this = (deliveries.c.tenant == tenant) & (deliveries.c.key == key) & (deliveries.c.state == _ASKED)
            if db.execute(sa.update(deliveries).where(this).values(state=_ANSWERED)).rowcount:
                owed.settle(db, tenant, OwedKind.DELIVERY, key, now=present())


def _put_off(
    db: sa.Connection,
    tenant: str,
    key: str,
    reason: str,
    *,
    now: datetime,
    pauses: Sequence[timedelta],
    until: datetime | None = None,
) -> None:
    """Have a delivery begun again later, once for each of its tries. The next try has the next number."""
    this = (deliveries.c.tenant == tenant) & (deliveries.c.key == key)
    free = this & deliveries.c.state.in_((_ACCEPTED, _ASKED))
    if db.execute(sa.select(deliveries.c.key).where(free)).first() is None:
        return  # put off already, or answered
    work = Owed(tenant=tenant, kind=OwedKind.DELIVERY, key=key, due=now, since=now, reason=reason)
    due = owed.put(db, work, now=now, pauses=pauses, until=until).due
    later = {"state": _WAITING, "due": iso_z(due), "number": deliveries.c.number + 1}
    db.execute(sa.update(deliveries).where(free).values(**later))
