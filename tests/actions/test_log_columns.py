"""What the readers of the log tables take from a row, asked of a lab over HTTP: addresses, clients, links, messages."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from actions.find_address_use import find_address_use
from actions.find_footholds import find_footholds
from actions.find_lookalikes import find_lookalikes
from actions.find_lures import find_lures
from actions.find_token_use import find_token_use
from actions.find_usual_places import find_usual_places
from actions.hunt_device_code_signins import hunt_device_code_signins
from respond.lab import scenario
from respond.models.case import Case
from respond.models.evidence import Account, Lures, TokenUse
from tests.helpers.command import VICTIM
from tests.helpers.dug_in_story import ATTACKER, DUG_IN, SESSION, USER_ID, write_story
from tests.helpers.incident_actions import act
from tests.lab.running_lab import RunningLab

Lab = Callable[..., RunningLab]
Rows = list[dict[str, Any]]

WHO = Account(id=USER_ID, upn=VICTIM, display_name="Target User")
SIGN_INS = ("SigninLogs", "AADNonInteractiveUserSignInLogs")
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/144.0 Safari/537.36 Edg/144.0"


def seed_row(table: str, **columns: Any) -> dict[str, Any]:
    """The first row of the seed's table, with other columns."""
    lines = (scenario.find("seed-true-positive") / f"{table}.jsonl").read_text().splitlines()
    return {**json.loads(lines[0]), "TimeGenerated": DUG_IN, **columns}


def sign_in_row(table: str, number: int, **columns: Any) -> dict[str, Any]:
    identity = {"Id": f"e1000000-0000-4000-8000-{number:012d}", "CreatedDateTime": DUG_IN}
    return seed_row(table, **identity | columns)


def office(operation: str, **columns: Any) -> dict[str, Any]:
    known = {"TimeGenerated": DUG_IN, "OfficeWorkload": "Exchange", "UserId": VICTIM, "Operation": operation}
    return known | {"OfficeId": f"row {operation}", "AppAccessContext": {"AADSessionId": SESSION}} | columns


def graph(table: str, **columns: Any) -> dict[str, Any]:
    return {"TimeGenerated": DUG_IN, "UserId": USER_ID, "SessionId": SESSION, "RequestMethod": "GET"} | {
        "RequestUri": "https://graph.microsoft.com/v1.0/me", "UserAgent": table} | columns  # fmt: skip


def with_rows(folder: Path, **rows: Rows) -> Path:
    return write_story(folder, rows=rows)


async def everything(case: Case, *, account: Account) -> str:
    """What every reader of log rows with an address found of one user, as text."""
    people: Sequence[Account] = (account,)
    readers: tuple[Callable[..., Awaitable[Any]], ...] = (
        hunt_device_code_signins,
        find_usual_places,
        find_address_use,
        find_lures,
        find_token_use,
        find_footholds,
    )
    found = [await reader(case, people=people) for reader in readers]
    return repr([*found, await find_lookalikes(case, account=account)])


def confirmed(ip: str) -> dict[str, Any]:
    """Defender's row of a confirmation that the workspace has no row of."""
    return {
        "Timestamp": DUG_IN,
        "EndpointCall": "Cmsi:Cmsi",
        "ErrorCode": 0,
        "RequestId": "e2000000-0000-4000-8000-000000000001",
        "AccountObjectId": USER_ID,
        "AccountUpn": VICTIM,
        "CorrelationId": "e2000000-0000-4000-8000-000000000002",
        "IPAddress": ip,
    }


def blocked(number: int, ip: str) -> dict[str, Any]:
    return sign_in_row("SigninLogs", number, IPAddress=ip, ResultType="53003", CorrelationId="", SessionId="")


def pasted(ip: str, other: str) -> tuple[Rows, Rows]:
    """A sign-in to an app in a browser, and the token of its session that was taken elsewhere."""
    plain = {"AuthenticationProtocol": "none", "OriginalTransferMethod": "none", "CorrelationId": ""}
    plain |= {"SessionId": "00c0ffee-0000-4000-8000-0000000000aa", "OriginalRequestId": "", "ResultType": "0"}
    return (
        [sign_in_row(SIGN_INS[0], 81, IPAddress=ip, **plain)],
        [sign_in_row(SIGN_INS[1], 82, IPAddress=other, **plain)],
    )


def test_every_table_that_holds_an_address_is_read_through_one_parser(lab: Lab, tmp_path: Path) -> None:
    """Each column has an address of its own, written as Exchange writes it; it comes out in its one spelling."""
    written: dict[str, str] = {}

    def at(column: str) -> str:
        plain = written[column] = f"198.51.100.{len(written) + 1}"
        return f"[::ffff:{plain}]:50321"

    signed, taken = pasted(at("the sign-in of a pasted code"), at("the token of a pasted code"))
    call = {"AppAccessContext": {"AADSessionId": SESSION}}
    audited = {"user": {"id": USER_ID, "userPrincipalName": VICTIM, "ipAddress": at("AuditLogs")}}
    made = {"Parameters": json.dumps([{"Name": "Name", "Value": ".."}])}
    story = with_rows(
        tmp_path,
        SigninLogs=[sign_in_row(SIGN_INS[0], 1, IPAddress=at(SIGN_INS[0])), blocked(2, at("a blocked one")), *signed],
        AADNonInteractiveUserSignInLogs=[sign_in_row(SIGN_INS[1], 1, IPAddress=at(SIGN_INS[1])), *taken],
        EntraIdSignInEvents=[confirmed(at("EntraIdSignInEvents"))],
        UrlClickEvents=[seed_row("UrlClickEvents", IPAddress=at("UrlClickEvents"))],
        MicrosoftGraphActivityLogs=[graph("one", IPAddress=at("MicrosoftGraphActivityLogs"))],
        AADGraphActivityLogs=[graph("two", CallerIpAddress=at("AADGraphActivityLogs"))],
        OfficeActivity=[
            office("MailItemsAccessed", ClientIP=at("OfficeActivity.ClientIP")),
            office("MessageRead", Client_IPAddress=at("OfficeActivity.Client_IPAddress")),
            office("Set-InboxRule", ClientIP=at("a rule's ClientIP"), **made),
            office("UpdateInboxRules", Client_IPAddress=at("a rule's Client_IPAddress"), **made),
        ],
        CloudAppEvents=[
            {"TimeGenerated": DUG_IN, "AccountObjectId": USER_ID, "ActionType": "FileAccessed", "RawEventData": call}
            | {"IPAddress": at("CloudAppEvents")}
        ],
        AuditLogs=[
            {"TimeGenerated": DUG_IN, "ActivityDateTime": DUG_IN, "Id": "Directory_80", "Result": "success"}
            | {"OperationName": "User registered security info", "InitiatedBy": audited, "TargetResources": []}
        ],
    )
    lab(story)
    read = act(everything, account=WHO)
    missing = {column for column, plain in written.items() if f"'{plain}'" not in read}
    assert missing == set()
    assert "::ffff:" not in read
    assert ":50321" not in read


def test_what_asked_for_a_token_is_told_by_client_app_used_and_not_by_the_user_agent_alone(
    lab: Lab, tmp_path: Path
) -> None:
    """Two marked rows of the approver's session at their address: the user agent says the one, the column the other."""
    known = {"CorrelationId": "", "OriginalRequestId": "", "DeviceDetail": "{}"}
    known["IPAddress"] = seed_row("SigninLogs")["IPAddress"]
    rows = [
        sign_in_row(SIGN_INS[1], 7, UserAgent="okhttp/4.12", ClientAppUsed="Browser", **known),
        sign_in_row(SIGN_INS[1], 8, UserAgent=EDGE, ClientAppUsed="Mobile Apps and Desktop clients", **known),
    ]
    lab(with_rows(tmp_path, AADNonInteractiveUserSignInLogs=rows))
    (flow,) = act(hunt_device_code_signins, people=(WHO,))[USER_ID].flows
    assert {row.id for row in flow.own_rows} == {rows[0]["Id"]}
    assert rows[1]["Id"] in {row.id for row in flow.redemptions}


SENDING = [
    ("POST", "https://graph.microsoft.com/v1.0/me/sendMail", 1),
    ("POST", "https://graph.microsoft.com/v1.0/users/x/messages/AAMk/send", 1),
    ("POST", "https://graph.microsoft.com/v1.0/me/messages/AAMk/replyAll", 1),
    ("POST", "https://graph.microsoft.com/beta/me/messages/AAMk/forward?x=1", 1),
    ("POST", "https://graph.microsoft.com/v1.0/chats/19:a/messages", 1),
    ("POST", "https://graph.microsoft.com/v1.0/teams/1/channels/2/messages", 1),
    ("POST", "https://graph.microsoft.com/v1.0/me/messages", 0),
    ("GET", "https://graph.microsoft.com/v1.0/me/messages?$search=sendMail", 0),
    ("GET", "https://graph.microsoft.com/v1.0/chats/19:a/messages", 0),
]
OPERATIONS = {"Send": 1, "SendAs": 1, "SendOnBehalf": 1, "MailItemsAccessed": 0}


def test_what_sends_a_message_is_counted_as_sent_whichever_log_has_it(lab: Lab, tmp_path: Path) -> None:
    """One row of each sort, told apart by its client."""
    table = "MicrosoftGraphActivityLogs"
    calls = [
        graph(table, UserAgent=f"{number}", RequestMethod=method, RequestUri=uri, IPAddress=ATTACKER)
        for number, (method, uri, _) in enumerate(SENDING)
    ]
    mailbox = [office(name, ClientInfoString=f"office {name}", ClientIP=ATTACKER) for name in OPERATIONS]
    events = [
        {"TimeGenerated": DUG_IN, "AccountObjectId": USER_ID, "ActionType": name, "UserAgent": f"cloud {name}"}
        | {"RawEventData": {"AppAccessContext": {"AADSessionId": SESSION}}, "IPAddress": ATTACKER}
        for name in OPERATIONS
        if name != "SendOnBehalf"
    ]
    lab(with_rows(tmp_path, MicrosoftGraphActivityLogs=calls, OfficeActivity=mailbox, CloudAppEvents=events))
    uses: Sequence[TokenUse] = act(find_token_use, people=(WHO,))[USER_ID].uses
    wanted = {f"{number}": count for number, (*_, count) in enumerate(SENDING)}
    wanted |= {f"office {name}": count for name, count in OPERATIONS.items()}
    wanted |= {f"cloud {name}": count for name, count in OPERATIONS.items() if name != "SendOnBehalf"}
    assert {use.user_agent: use.sent for use in uses if use.user_agent in wanted} == wanted


def test_a_link_that_was_read_out_of_a_qr_code_is_known_as_one(lab: Lab, tmp_path: Path) -> None:
    links = {"qr": "QRCode", "lower": "qrcode", "body": "Body", "file": "Attachment"}
    mails = [seed_row("EmailEvents", NetworkMessageId=name, SenderFromAddress="a@b.example") for name in links]
    urls = [
        {"TimeGenerated": DUG_IN, "NetworkMessageId": name, "Url": "https://contoso.example/menu", "UrlLocation": place}
        for name, place in links.items()
    ]
    lab(with_rows(tmp_path, EmailEvents=mails, EmailUrlInfo=urls))
    lures: Lures = act(find_lures, people=(WHO,))[USER_ID]
    assert {mail.id: mail.qr_code for mail in lures.messages if mail.id in links} == {
        "qr": True, "lower": True, "body": False, "file": False,
    }  # fmt: skip
