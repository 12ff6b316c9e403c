"""Mail that the lab lets an application send, by the page of the endpoint."""

from __future__ import annotations

from typing import Any

import pytest

from respond.lab import scenario
from tests.lab.running_lab import USER, RunningLab, running

MESSAGE: dict[str, Any] = {
    "subject": "x",
    "body": {"contentType": "HTML", "content": "<p>x</p>"},
    "toRecipients": [{"emailAddress": {"address": "oncall@contoso.com"}}],
    "internetMessageHeaders": [{"name": "x-respond-case", "value": "DC-AAAAAA"}],
}


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running(scenario.find("seed-true-positive"), tmp_path_factory.mktemp("send")) as lab:
        yield lab


def sent(there: RunningLab, **changes: Any) -> tuple[int, str]:
    message = {name: value for name, value in (MESSAGE | changes).items() if value is not None}
    answer = there.request("POST", f"/v1.0/users/{USER}/sendMail", body={"message": message})
    return answer.status_code, answer.json()["error"]["code"] if answer.content else ""


def test_mail_is_accepted_and_stands_in_the_journal(there: RunningLab) -> None:
    assert sent(there) == (202, "")
    last = there.get("/_lab/writes")[-1]
    assert last["path"].endswith("/sendMail")
    assert "oncall@contoso.com" in last["body"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"toRecipients": None}, "ErrorInvalidRecipients"),
        ({"toRecipients": [{"emailAddress": {"address": "nobody"}}]}, "ErrorInvalidRecipients"),
        ({"body": {"contentType": "Markdown", "content": "x"}}, "RequestBodyRead"),
        ({"internetMessageHeaders": [{"name": "In-Reply-To", "value": "x"}]}, "InvalidInternetMessageHeader"),
        (
            {"internetMessageHeaders": [{"name": f"x-{number}", "value": "x"} for number in range(6)]},
            "InvalidInternetMessageHeaderCollection",
        ),
    ],
)
def test_what_graph_does_not_take_is_refused(changes: dict[str, Any], code: str, there: RunningLab) -> None:
    assert sent(there, **changes) == (400, code)


def test_nobody_sends_from_a_mailbox_that_is_not_there(there: RunningLab) -> None:
    answer = there.request("POST", "/v1.0/users/nobody@contoso.com/sendMail", body={"message": MESSAGE})
    assert answer.status_code == 404
