"""Cases: found again by the identifiers of their sign-ins, so that one need is answered once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from respond.errors import NotFound, Unreadable
from respond.models.base import iso_z
from respond.models.case import Claim, case_id
from respond.models.evidence import EarlierCase, Fact
from respond.models.persistence import Accounted, Fate
from respond.models.report import ActionStatus, Change, Pending, Report, TicketRef
from respond.observe.setbacks import SETBACKS
from respond.store.approvals import Approvals
from respond.store.audit import Audit
from respond.store.brakes import Brakes
from respond.store.database import cases, facts, keys, open_database, releases, reports, tickets, writing
from respond.store.intake import Intake
from respond.store.intents import Intents
from respond.store.later import Laters
from respond.store.links import Links
from respond.store.owed import OwedWork
from respond.store.watches import Watches

_SHORTEST, _LONGEST = 6, 20
_BUSY_TRIES = 20
_CLOCKS_DIFFER = timedelta(seconds=10)
"""As much as the clocks of two machines may."""
_VALUES_AT_ONCE = 500


@dataclass(frozen=True)
class Ticket:
    """One ticket of the embedded ticket system."""

    number: int
    case: str
    opened: str
    outcome: str
    title: str
    body: str


@dataclass(frozen=True)
class UnreadableCase:
    """A case whose newest report cannot be read.

    Attributes:
        reason: in a sentence, without the values of the report.
    """

    case: str
    tenant: str
    user_id: str
    opened: str
    reason: str


class Store:
    """Cases, reports and tickets.

    Args:
        url: `sqlite:///PATH` or `postgresql://…`.
    """

    def __init__(self, url: str) -> None:
        self.database = self._db = open_database(url)
        self.intake = Intake(self._db)
        self.audit = Audit(self._db)
        self.brakes = Brakes(self._db)
        self.approvals = Approvals(self._db)
        self.intents = Intents(self._db)
        self.links = Links(self._db)
        self.watches = Watches(self._db)
        self.later = Laters(self._db)
        self.owed = OwedWork(self._db)

    def close(self) -> None:
        self._db.dispose()

    @property
    def is_there(self) -> bool:
        """False when the SQLite file was taken away: what is written to it then is lost with this process."""
        url = self._db.url
        return url.get_backend_name() != "sqlite" or Path(url.database or "").is_file()

    def claim(
        self,
        *,
        tenant: str,
        user_id: str,
        flows: list[tuple[str, ...]],
        run: str,
        exclusive: bool,
        seen_at: datetime | None = None,
    ) -> Claim:
        """Find or open the case of these sign-ins, and take it for a run.

        Sign-ins that no case knows yet are a new need and open a new case. Otherwise it is the case of the newest ones.

        Args:
            flows: the keys of each device code sign-in, oldest first.
            exclusive: take the case, so that other runs attach to this one; a dry run takes nothing.
            seen_at: when the user was looked up.
        """
        for attempt in range(_BUSY_TRIES):
            try:
                return self._claim(tenant, user_id, flows, run, exclusive=exclusive, seen_at=seen_at)
            except IntegrityError:
                # Another process opened the same case between our look and our insert; the next look finds it.
                if attempt == _BUSY_TRIES - 1:
                    raise
        raise AssertionError

    def _claim(
        self,
        tenant: str,
        user_id: str,
        flows: list[tuple[str, ...]],
        run: str,
        *,
        exclusive: bool,
        seen_at: datetime | None,
    ) -> Claim:
        with writing(self._db, tenant, user_id) as db:
            known = [self._case_of(db, tenant, user_id, flow) for flow in flows]
            new = [key for flow, owner in zip(flows, known, strict=True) if owner is None for key in flow]
            is_new = None in known
            case = self._open(db, tenant, user_id, new[0]) if is_new else str(known[-1])
            for flow, owner in zip(flows, known, strict=True):
                self._remember(db, tenant, user_id, flow, owner or case)
            again = _others_were_at(db, tenant, user_id, run, seen_at)
            if not exclusive:
                return Claim(case=case, read_again=again)
            free = sa.update(cases).where(cases.c.id == case, cases.c.busy_run.in_(["", run]))
            if db.execute(free.values(busy_run=run)).rowcount:
                return Claim(case=case, read_again=again)
            busy = db.execute(sa.select(cases.c.busy_run).where(cases.c.id == case)).scalar_one()
            return Claim(case=case, busy_run=busy)

    def hold(self, *, case: str, run: str) -> str:
        """Take a case for a run; the run that has it, or an empty text when it is this one from now on."""
        free = sa.update(cases).where(cases.c.id == case, cases.c.busy_run.in_(["", run]))
        with self._db.begin() as db:
            if db.execute(free.values(busy_run=run)).rowcount:
                return ""
            return str(db.execute(sa.select(cases.c.busy_run).where(cases.c.id == case)).scalar_one())

    def release(self, *, case: str, run: str) -> None:
        """Let go of a case, if this run holds it."""
        held = sa.select(cases.c.tenant, cases.c.user_id).where(cases.c.id == case, cases.c.busy_run == run)
        with self._db.connect() as db:
            owner = db.execute(held).first()
        if owner is None:
            return
        now, theirs = iso_z(datetime.now(UTC)), {"tenant": owner.tenant, "user_id": owner.user_id}
        whose = (releases.c.tenant == owner.tenant) & (releases.c.user_id == owner.user_id)
        with writing(self._db, owner.tenant, owner.user_id) as db:
            db.execute(sa.update(cases).where(cases.c.id == case, cases.c.busy_run == run).values(busy_run=""))
            if db.execute(sa.update(releases).where(whose).values(at=now)).rowcount == 0:
                db.execute(sa.insert(releases).values(at=now, **theirs))

    def save(self, report: Report, *, at: datetime) -> None:
        """Keep a run's report; the same run again replaces it."""
        row = {
            "case_id": report.case,
            "mode": report.mode.value,
            "at": iso_z(at),
            "body": report.model_dump_json(by_alias=True),
        }
        with self._db.begin() as db:
            if db.execute(sa.update(reports).where(reports.c.run == report.run).values(**row)).rowcount == 0:
                db.execute(sa.insert(reports).values(run=report.run, **row))

    def keep_write_backs(self, case: str, changes: Sequence[Change]) -> int:
        """Add what became of comments and tags to the newest live report of a case; how many were kept."""
        with writing(self._db, "report", case) as db:
            mine = (reports.c.case_id == case) & (reports.c.mode == "live")
            query = sa.select(reports.c.run, reports.c.body).where(mine).order_by(reports.c.at.desc()).limit(1)
            if (row := db.execute(query).one_or_none()) is None:
                return 0
            report = Report.model_validate_json(row.body)
            kept = {(one.name, one.target): one for one in (*report.write_backs, *changes)}
            body = report.model_copy(update={"write_backs": tuple(kept.values())}).model_dump_json(by_alias=True)
            db.execute(sa.update(reports).where(reports.c.run == row.run).values(body=body))
        return len(changes)

    def keep_made_up(self, case: str, change: Change, ticket: TicketRef | None) -> int:
        """Put a write that was made up for in the place of the one that failed, in the newest live report of a case.

        Args:
            ticket: where people find the ticket now.

        Returns:
            How many writes were replaced.
        """
        with writing(self._db, "report", case) as db:
            mine = (reports.c.case_id == case) & (reports.c.mode == "live")
            query = sa.select(reports.c.run, reports.c.body).where(mine).order_by(reports.c.at.desc()).limit(1)
            if (row := db.execute(query).one_or_none()) is None:
                return 0
            report = Report.model_validate_json(row.body)
            failed = [one for one in report.actions if one.name == change.name and one.status is ActionStatus.FAILED]
            actions = tuple(change if one in failed else one for one in report.actions)
            told = report.model_copy(update={"actions": actions, "ticket": ticket or report.ticket})
            db.execute(
                sa.update(reports).where(reports.c.run == row.run).values(body=told.model_dump_json(by_alias=True))
            )
        return len(failed)

    def remember(self, report: Report, found: Iterable[Fact], *, at: datetime) -> None:
        """Keep what a case leaves behind for later ones; once a fact, with the newest verdict."""
        said = {"tenant": report.tenant, "at": iso_z(at), "verdict": report.verdict.value, "upn": report.user.upn}
        with self._db.begin() as db:
            db.execute(sa.delete(facts).where(facts.c.case_id == report.case))
            rows = [{"case_id": report.case, "kind": one.kind.value, "value": one.value, **said} for one in found]
            if rows:
                db.execute(sa.insert(facts), rows)

    def earlier(self, *, tenant: str, found: Iterable[Fact], but: str) -> tuple[EarlierCase, ...]:
        """Cases that share one of these facts, newest first.

        Args:
            but: the case that asks.
        """
        wanted = {(one.kind.value, one.value) for one in found}
        values = sorted({value for _, value in wanted})
        theirs = sa.select(facts).where(facts.c.tenant == tenant, facts.c.case_id != but)
        rows: list[sa.RowMapping] = []
        with self._db.connect() as db:
            for start in range(0, len(values), _VALUES_AT_ONCE):
                query = theirs.where(facts.c.value.in_(values[start : start + _VALUES_AT_ONCE]))
                rows += db.execute(query).mappings().all()
        rows.sort(key=lambda row: (row["at"], row["case_id"]), reverse=True)
        shared = [row for row in rows if (row["kind"], row["value"]) in wanted]
        return tuple(SETBACKS.readable("fact", shared, _earlier, lambda row: row["case_id"]))

    def has(self, case: str) -> bool:
        """Whether there is such a case."""
        with self._db.connect() as db:
            return db.execute(sa.select(cases.c.id).where(cases.c.id == case)).first() is not None

    def report(self, case: str) -> Report | None:
        """The newest report of a case, a live one before a dry run's."""
        query = (
            sa.select(reports.c.body)
            .where(reports.c.case_id == case)
            .order_by((reports.c.mode == "live").desc(), reports.c.at.desc())
            .limit(1)
        )
        with self._db.connect() as db:
            body = db.execute(query).scalar_one_or_none()
        if body is None:
            return None
        # Others may have brought the case since the report was kept, and what was owed may be done.
        now = {"sightings": self.intake.sightings(case), "owed": self._owed_to(case)}
        return Report.model_validate_json(body).model_copy(update=now)

    def _owed_to(self, case: str) -> tuple[Pending, ...]:
        writes = [
            Pending(name=one.kind.value, due=one.due, tries=one.tries, reason=one.reason)
            for one in self.owed.of_case(case)
        ]
        steps = [
            Pending(name=one.step.rung.value, due=one.due, tries=one.tries + 1) for one in self.later.of_case(case)
        ]
        return tuple(sorted((*writes, *steps), key=lambda one: (one.due, one.name)))

    def plan(self, case: str) -> Report | None:
        """The newest plan of a case: the report of a dry run."""
        return self._newest(case, reports.c.mode == "dry-run")

    def live(self, case: str) -> Report | None:
        """The newest report of a live run."""
        return self._newest(case, reports.c.mode == "live")

    def was_closed(self, case: str, *, since: datetime) -> bool:
        """Whether a live run of a case has come to its end since."""
        query = sa.select(reports.c.run).where(reports.c.case_id == case, reports.c.mode == "live")
        with self._db.connect() as db:
            return db.execute(query.where(reports.c.at >= iso_z(since))).first() is not None

    def done_so_far(self, case: str) -> list[Change]:
        """Every change that live runs of a case have made, oldest first."""
        query = sa.select(reports.c.body).where(reports.c.case_id == case, reports.c.mode == "live")
        with self._db.connect() as db:
            bodies = db.execute(query.order_by(reports.c.at)).scalars().all()
        found = _reports(case, bodies)
        return [one for report in found for one in report.actions if one.status is ActionStatus.DONE]

    def settled(self, case: str) -> list[Accounted]:
        """What live runs of a case have ended of what was added to stay, or found gone."""
        query = sa.select(reports.c.body).where(reports.c.case_id == case, reports.c.mode == "live")
        with self._db.connect() as db:
            bodies = db.execute(query.order_by(reports.c.at)).scalars().all()
        found = _reports(case, bodies)
        done = {
            (one.name, one.step.object)
            for report in found
            for one in report.actions
            if one.step and one.verified and one.status in (ActionStatus.DONE, ActionStatus.UNNEEDED)
        }
        return [
            one
            for report in found
            for one in report.persistence
            if one.fate is Fate.GONE or (one.actions and all((ref.name, ref.object) in done for ref in one.actions))
        ]

    def _newest(self, case: str, which: sa.ColumnElement[bool]) -> Report | None:
        query = sa.select(reports.c.body).where(reports.c.case_id == case, which).order_by(reports.c.at.desc()).limit(1)
        with self._db.connect() as db:
            body = db.execute(query).scalar_one_or_none()
        return Report.model_validate_json(body) if body else None

    def all_reports(self) -> list[Report]:
        """The newest report of every case, newest case first; without those that cannot be read."""
        return [report for report in self.listed() if isinstance(report, Report)]

    def listed(self) -> list[Report | UnreadableCase]:
        """Every case that has a report, newest first: its newest report, or why that cannot be read."""
        with self._db.connect() as db:
            rows = db.execute(sa.select(cases).order_by(cases.c.opened.desc())).mappings().all()
        return [found for row in rows if (found := self._listed(row)) is not None]

    def _listed(self, row: sa.RowMapping) -> Report | UnreadableCase | None:
        try:
            return self.report(row["id"])
        except Unreadable as error:
            return UnreadableCase(row["id"], row["tenant"], row["user_id"], row["opened"], error.message)

    def ticket(self, case: str) -> Ticket | None:
        """The ticket of a case."""
        with self._db.connect() as db:
            row = db.execute(sa.select(tickets).where(tickets.c.case_id == case)).one_or_none()
        return _ticket(row) if row else None

    def open_ticket(self, *, case: str, outcome: str, title: str, body: str) -> tuple[Ticket, bool]:
        """Open the ticket of a case, or find it: there is never a second one.

        Returns:
            The ticket, and whether this call opened it.
        """
        values = {"outcome": outcome, "title": title, "body": body}
        try:
            with self._db.begin() as db:
                db.execute(sa.insert(tickets).values(case_id=case, opened=iso_z(datetime.now(UTC)), **values))
            opened = True
        except IntegrityError:
            opened = False
        return self._ticket_of(case), opened

    def update_ticket(self, *, case: str, outcome: str, title: str, body: str) -> Ticket:
        """Rewrite the ticket of a case, because the case took another turn; how it reads now."""
        with self._db.begin() as db:
            db.execute(
                sa.update(tickets).where(tickets.c.case_id == case).values(outcome=outcome, title=title, body=body)
            )
        return self._ticket_of(case)

    def _ticket_of(self, case: str) -> Ticket:
        ticket = self.ticket(case)
        if ticket is None:
            raise NotFound(f"the ticket of {case} is gone from the state database")
        return ticket

    @staticmethod
    def _case_of(db: sa.Connection, tenant: str, user_id: str, flow: tuple[str, ...]) -> str | None:
        query = sa.select(keys.c.case_id).where(keys.c.tenant == tenant, keys.c.user_id == user_id).limit(1)
        found = (db.execute(query.where(keys.c.key.in_(part))).scalar_one_or_none() for part in _parts(flow))
        return next((case for case in found if case is not None), None)

    @staticmethod
    def _open(db: sa.Connection, tenant: str, user_id: str, seed: str) -> str:
        names = (case_id(f"{tenant}|{user_id}|{seed}", length) for length in range(_SHORTEST, _LONGEST))
        taken = sa.select(cases.c.id)
        name = next(n for n in names if db.execute(taken.where(cases.c.id == n)).scalar_one_or_none() is None)
        db.execute(
            sa.insert(cases).values(
                id=name, tenant=tenant, user_id=user_id, opened=iso_z(datetime.now(UTC)), busy_run=""
            )
        )
        return name

    @staticmethod
    def _remember(db: sa.Connection, tenant: str, user_id: str, flow: tuple[str, ...], case: str) -> None:
        ours = {"tenant": tenant, "user_id": user_id}
        held = sa.select(keys.c.key).where(keys.c.tenant == tenant, keys.c.user_id == user_id)
        known = {key for part in _parts(flow) for key in db.execute(held.where(keys.c.key.in_(part))).scalars()}
        rows = [{"key": key, "case_id": case, **ours} for key in sorted(set(flow) - known)]
        for start in range(0, len(rows), _VALUES_AT_ONCE):
            db.execute(sa.insert(keys), rows[start : start + _VALUES_AT_ONCE])


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many values at a time as a statement takes: an attacker decides how many rows a token has."""
    return (values[start : start + _VALUES_AT_ONCE] for start in range(0, len(values), _VALUES_AT_ONCE))


def _others_were_at(db: sa.Connection, tenant: str, user_id: str, run: str, seen_at: datetime | None) -> bool:
    """Whether another run is at work on this user, or has been since the user was looked up.

    It may have moved the cut-off meanwhile; who goes by the old one would sign the user out twice.
    """
    mine = (cases.c.tenant == tenant) & (cases.c.user_id == user_id)
    busy = sa.select(cases.c.id).where(mine, cases.c.busy_run.not_in(["", run]))
    if seen_at is None or db.execute(busy.limit(1)).first():
        return True
    last = sa.select(releases.c.at).where(releases.c.tenant == tenant, releases.c.user_id == user_id)
    at = db.execute(last).scalar_one_or_none()
    return at is not None and datetime.fromisoformat(at) > seen_at - _CLOCKS_DIFFER


def _earlier(row: sa.RowMapping) -> EarlierCase:
    found = Fact.from_row(kind=row["kind"], value=row["value"])
    at = datetime.fromisoformat(row["at"])
    return EarlierCase.from_row(case=row["case_id"], verdict=row["verdict"], at=at, upn=row["upn"], fact=found)


def _reports(case: str, bodies: Sequence[str]) -> list[Report]:
    return SETBACKS.readable("report", bodies, Report.model_validate_json, lambda _: case)


def _ticket(row: sa.Row[tuple[object, ...]]) -> Ticket:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    return Ticket(
        number=values["number"],
        case=values["case_id"],
        opened=values["opened"],
        outcome=values["outcome"],
        title=values["title"],
        body=values["body"],
    )
