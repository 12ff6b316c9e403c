"""What the answer to a delivery is put together from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from respond.answering import in_its_time, left_out, tickets_for
from respond.models.case import Case, Mode, Window
from respond.models.intake import Delivery, Trigger, Unanswered
from respond.models.notice import Named, Notice, Shape
from respond.policies import load_policy
from respond.settings import shipped_config

_NOW = datetime(2026, 1, 15, 9, 40, tzinfo=UTC)
_HOUR = timedelta(hours=1)


def delivery(path: Trigger = Trigger.WEBHOOK, **said: object) -> Delivery:
    notice = Notice.model_validate({"shape": Shape.INCIDENT, **said})
    return Delivery(tenant="lab", key="a-key", digest="", path=path, at=_NOW, by="test", notice=notice)


def case() -> Case:
    window = Window(start=_NOW - 24 * _HOUR, end=_NOW)
    policy = load_policy(shipped_config())
    return Case(run="r", mode=Mode.LIVE, tenant="lab", who="", window=window, started=_NOW, policy=policy)


def test_the_hunt_is_about_the_time_of_the_alerts_and_an_hour_around_it() -> None:
    alerts = delivery(window_start=_NOW - 5 * _HOUR, window_end=_NOW - 4 * _HOUR)
    assert in_its_time(case(), alerts).window == Window(start=_NOW - 6 * _HOUR, end=_NOW - 3 * _HOUR)
    endless = delivery(window_start=_NOW - 5 * _HOUR)
    assert in_its_time(case(), endless).window == Window(start=_NOW - 6 * _HOUR, end=_NOW)
    wide = delivery(window_start=_NOW - 99 * _HOUR, window_end=_NOW + 9 * _HOUR)
    assert in_its_time(case(), wide).window == in_its_time(case(), delivery()).window == case().window


def test_accounts_beyond_those_that_are_looked_at_are_handed_to_a_person() -> None:
    (said,) = left_out(delivery(accounts=(Named(kind="account", label="ann"),), cut=True))
    assert said.reason == "more than 1 are named; only these are looked at"
    assert left_out(delivery()) == ()


def test_the_schedule_has_a_ticket_a_person_and_an_incident_one_for_all() -> None:
    people = tuple(Unanswered(label=name, reason="nobody") for name in ("Ann", "bob"))
    by_schedule = dict(tickets_for(delivery(Trigger.SCHEDULE), people))
    assert by_schedule == {"schedule/ann": people[:1], "schedule/bob": people[1:]}
    assert dict(tickets_for(delivery(incident="/Some/INCIDENT"), people)) == {"/some/incident": people}
    assert dict(tickets_for(delivery(), people)) == {"a-key": people}
    assert dict(tickets_for(delivery(), ())) == {}
