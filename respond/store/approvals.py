"""Questions to people in the database. The first answer to one counts; each answer goes to the audit log with it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from respond.models.approvals import Answer, Asked
from respond.models.audit import AuditKind, Note
from respond.models.base import moment, stamp
from respond.models.ladder import NOBODY
from respond.observe.setbacks import SETBACKS
from respond.store.audit import write_down
from respond.store.database import approvals, writing

_KINDS = {
    Answer.APPROVED: AuditKind.APPROVAL,
    Answer.DENIED: AuditKind.DENIAL,
    Answer.EXPIRED: AuditKind.TIMEOUT,
}
_WAITS = approvals.c.answer == Answer.WAITING.value


class Approvals:
    """What people are asked, and what they said."""

    def __init__(self, database: sa.Engine) -> None:
        self._db = database

    def ask(self, asked: Asked) -> Asked:
        """Ask, and return the question as it stands.

        The same question that still waits keeps the times it has, however often it is asked; only what it says is
        brought up to date. One that was answered is asked anew, in a new round.
        """
        with writing(self._db, "approvals", asked.case) as db:
            last = _newest(db, asked.case).get((asked.name, asked.object))
            if last and last.answer is Answer.WAITING:
                said = {"summary": asked.summary, "step": asked.step, "run": asked.run}
                db.execute(sa.update(approvals).where(_this(last)).values(said))
                return last.model_copy(update=said)
            new = {"answer": Answer.WAITING, "by": "", "answered_at": None, "because": ""}
            fresh = asked.model_copy(update={**new, "round": last.round + 1 if last else 1})
            db.execute(sa.insert(approvals).values(_row(fresh)))
            return fresh

    def waiting(self, case: str | None = None, tenant: str | None = None) -> list[Asked]:
        """Questions without an answer, oldest first."""
        query = sa.select(approvals).where(_WAITS).order_by(approvals.c.at, approvals.c.name, approvals.c.object)
        if case is not None:
            query = query.where(approvals.c.case_id == case)
        if tenant is not None:
            query = query.where(approvals.c.tenant == tenant)
        return self._read(query)

    def of_case(self, case: str) -> list[Asked]:
        """Every question of a case in all its rounds, oldest first."""
        order = (approvals.c.at, approvals.c.round, approvals.c.name, approvals.c.object)
        return self._read(sa.select(approvals).where(approvals.c.case_id == case).order_by(*order))

    def expired(self, now: datetime) -> list[Asked]:
        """Questions whose time is up and that wait still, the longest overdue first; they are not answered by this."""
        over = _WAITS & (approvals.c.due != "") & (approvals.c.due <= stamp(now))
        return self._read(sa.select(approvals).where(over).order_by(approvals.c.due, approvals.c.case_id))

    def timed_out(self, tenant: str, since: datetime) -> list[Asked]:
        """Questions that nobody answered in time, as noted after a moment."""
        nobodys = (approvals.c.tenant == tenant) & (approvals.c.answered_by == NOBODY)
        order = (approvals.c.answered_at, approvals.c.case_id)
        return self._read(sa.select(approvals).where(nobodys, approvals.c.answered_at >= stamp(since)).order_by(*order))

    def answer(
        self, case: str, *, names: set[str] | None, answer: Answer, by: str, at: datetime, because: str = ""
    ) -> tuple[list[Asked], list[Asked]]:
        """Answer the questions of a case that wait.

        Args:
            names: actions that are meant, or ids of their objects; None: all.
            answer: approved, denied or expired.
            by: who answers.

        Returns:
            The questions that this call answered, and those that had been answered before, each in its newest round.

        Raises:
            ValueError: `answer` is none of the three.
        """
        if answer not in _KINDS:
            raise ValueError(f"{answer.value} is no answer to a question")
        said = {"answer": answer, "by": by, "answered_at": at, "because": because}
        mine: list[Asked] = []
        others: list[Asked] = []
        with writing(self._db, "approvals", case) as db:
            for asked in _newest(db, case).values():
                if names is not None and not names & {asked.name, asked.object}:
                    continue
                given = Asked(**{**asked.model_dump(), **said})
                (mine if _answered(db, given) else others).append(given)
            for given in mine:
                write_down(db, _note(given, at))
            now = _newest(db, case)
        return mine, [now[asked.name, asked.object] for asked in others]

    def overtake(self, case: str, keep: set[tuple[str, str]], *, at: datetime | None = None) -> list[Asked]:
        """Withdraw the questions of a case that wait and are not asked any more; which they were.

        Args:
            keep: action and object of those that are still asked.
        """
        with writing(self._db, "approvals", case) as db:
            gone = [
                asked.model_copy(update={"answer": Answer.OVERTAKEN, "answered_at": at})
                for key, asked in _newest(db, case).items()
                if asked.answer is Answer.WAITING and key not in keep
            ]
            return [asked for asked in gone if _answered(db, asked)]

    def _read(self, query: sa.Select[Any]) -> list[Asked]:
        with self._db.connect() as db:
            rows = db.execute(query).mappings().all()
        return SETBACKS.readable(
            "approval", rows, asked_of, lambda row: f"{row['case_id']}/{row['name']}/{row['object']}"
        )


def _answered(db: sa.Connection, given: Asked) -> bool:
    """Write an answer down, if there is none yet."""
    said = {name: _row(given)[name] for name in ("answer", "answered_by", "answered_at", "because")}
    return db.execute(sa.update(approvals).where(_this(given), _WAITS).values(said)).rowcount == 1


def _newest(db: sa.Connection, case: str) -> dict[tuple[str, str], Asked]:
    """The newest round of each question of a case, in the order they were first asked."""
    query = sa.select(approvals).where(approvals.c.case_id == case).order_by(approvals.c.round, approvals.c.at)
    found = [asked_of(row) for row in db.execute(query).mappings()]
    return {(asked.name, asked.object): asked for asked in found}


def _this(asked: Asked) -> sa.ColumnElement[bool]:
    return (
        (approvals.c.case_id == asked.case)
        & (approvals.c.name == asked.name)
        & (approvals.c.object == asked.object)
        & (approvals.c.round == asked.round)
    )


def _note(given: Asked, at: datetime) -> Note:
    detail = given.model_dump(mode="json", include={"name", "object", "target", "round", "because"})
    return Note(
        tenant=given.tenant,
        case=given.case,
        run=given.run,
        actor=given.by,
        kind=_KINDS[given.answer],
        what=f"{given.answer.value}: {given.summary}",
        detail={**detail, "asked_at": stamp(given.at)},
        at=at,
    )


def _row(asked: Asked) -> dict[str, Any]:
    same = {name: value for name, value in asked if name not in ("case", "by", "at", "due", "answered_at", "answer")}
    times = {"at": stamp(asked.at), "due": stamp(asked.due), "answered_at": stamp(asked.answered_at)}
    return {**same, **times, "case_id": asked.case, "answered_by": asked.by, "answer": asked.answer.value}


def asked_of(row: sa.RowMapping) -> Asked:
    """The question in a row."""
    same = {name: value for name, value in row.items() if name not in ("case_id", "answered_by", "version")}
    times = {name: moment(row[name]) for name in ("at", "due", "answered_at")}
    return Asked.from_row(**{**same, **times, "case": row["case_id"], "by": row["answered_by"]})
