"""An inbox rule as somebody makes it: the row that its making leaves, and the rule itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from tools.scenarios.story import Story, iso
from tools.scenarios.world import Json, Person, Place


@dataclass(frozen=True)
class Rule:
    """What a rule looks for and does, as Exchange's command takes it (`said`) and as Graph shows it."""

    name: str
    said: dict[str, str]
    conditions: Json
    actions: Json


def make_rule(s: Story, who: Person, at: datetime, rule: Rule, place: Place, session: str) -> None:
    """Make it in the user's mailbox."""
    given = {"Name": rule.name} | rule.said
    s.add(
        "OfficeActivity",
        {
            "TimeGenerated": iso(at),
            "OfficeId": s.guid(),
            "OfficeWorkload": "Exchange",
            "RecordType": "ExchangeAdmin",
            "Operation": "New-InboxRule",
            "ResultStatus": "True",
            "UserId": who.logged_upn,
            "ClientIP": place.ip,
            "Parameters": json.dumps([{"Name": name, "Value": value} for name, value in given.items()]),
            "AppAccessContext": {"AADSessionId": session},
        },
    )
    s.rules.setdefault(who.id, []).append(
        {
            "id": "AQAAA" + s.token_id(),
            "displayName": rule.name,
            "sequence": 1,
            "isEnabled": True,
            "conditions": rule.conditions,
            "actions": rule.actions,
        }
    )
