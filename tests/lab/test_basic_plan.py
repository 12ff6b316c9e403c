"""Tables on the Basic plan: one of them, read once, is answered; the rest is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from respond.errors import UsageError
from respond.lab.server import LabServer
from respond.settings import Lab, Settings
from tests.lab.running_lab import RunningLab, running

PATH = "/v1/workspaces/1ab00000-0000-4000-8000-000000000001/query"


@pytest.fixture(scope="module")
def lab(seed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    with running(seed, tmp_path_factory.mktemp("state"), basic_tables=("SigninLogs", "AuditLogs")) as found:
        yield found


@pytest.mark.parametrize(
    "query",
    [
        "SigninLogs | where Id != '' | extend A = strcat(Id, ' | join') | summarize n = count() by A | order by n",
        'let p = dynamic(["a", "b"]); let all = bool(true); SigninLogs | where all or UserId in~ (p) | take 5',
        "let rows = SigninLogs | where Id != ''; rows | project Id, join_ = 1 // union SigninLogs",
        "let unused = SigninLogs | take 1; SigninLogs | count",
        "SigninLogs | where ResultType == '0' | summarize arg_max(TimeGenerated, *) by UserId | project Id",
        "SigninLogs | mv-expand D = split(Id, '-') to typeof(string) | count",
        "AADNonInteractiveUserSignInLogs | union UrlClickEvents | join kind=inner EmailEvents on NetworkMessageId",
        "let clicks = UrlClickEvents; clicks | where Url in ((clicks | project Url)) | count",
    ],
)
def test_a_query_of_one_table_is_answered(lab: RunningLab, query: str) -> None:
    answer = lab.request("POST", PATH, body={"query": query})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SigninLogs | join kind=inner (UrlClickEvents) on TenantId", "'join' operator"),
        ("UrlClickEvents | join kind=inner (SigninLogs | project ReportId = Id) on ReportId", "'join' operator"),
        ("SigninLogs | lookup (AuditLogs) on CorrelationId", "'lookup' operator"),
        ("union isfuzzy=true SigninLogs, UrlClickEvents | count", "'union' operator"),
        ("UrlClickEvents\n| union (SigninLogs)", "'union' operator"),
        ("find in (SigninLogs) where Id == 'x'", "'find' operator"),
        ("search in (SigninLogs) 'x'", "'search' operator"),
        ("let x = externaldata(a:string)['h']; SigninLogs | where Id in (x)", "'externaldata' operator"),
        ("SigninLogs | where Id in ((SigninLogs | project Id))", "A subquery"),
        ("UrlClickEvents | where ReportId in ((SigninLogs | project Id))", "A subquery"),
        ("SigninLogs | where Id in ((UrlClickEvents | project ReportId))", "A subquery"),
        ("let ids = SigninLogs | project Id; UrlClickEvents | where ReportId in (ids)", "A subquery"),
        ("let r = SigninLogs | take 9; r | where Id in ((r | project Id))", "A subquery"),
        ("let a = SigninLogs | take 9; let b = a | where Id in ((AuditLogs | project Id)); b | count", "A subquery"),
        ("print n = toscalar(SigninLogs | count)", "A subquery"),
    ],
)  # fmt: skip
def test_more_than_one_table_is_refused_as_in_log_analytics(lab: RunningLab, query: str, words: str) -> None:
    answer = lab.request("POST", PATH, body={"query": query})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "BadArgumentError")
    assert words in error["innererror"]["message"]
    assert "is not supported" in error["innererror"]["message"]
    assert "SigninLogs" in error["innererror"]["message"]


async def test_the_sdk_raises_on_the_refusal(lab: RunningLab) -> None:
    from azure.core.exceptions import HttpResponseError

    with pytest.raises(HttpResponseError, match="BadArgumentError"):
        await lab.query("union SigninLogs, AuditLogs")


def test_a_table_that_does_not_exist_cannot_be_on_a_plan(story: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Nonsense"):
        LabServer(Settings(lab=Lab(basic_tables=("Nonsense",))), data=story(), state_dir=tmp_path / "s")
