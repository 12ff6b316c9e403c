"""`respond lab deliver`: an incident of the lab, delivered to a running service as the Logic App would."""

from __future__ import annotations

import json
import sys
import time
import uuid
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from respond.errors import RunFailed, UsageError
from respond.lab import scenario
from respond.lab.constants import CLIENT_ID, RESOURCE_GROUP, SUBSCRIPTION_ID, TENANT_ID, WORKSPACE_ID, WORKSPACE_NAME
from respond.lab.incidents import loaded
from respond.lab.place import place
from respond.lab.sample_incident import sample_incident
from respond.lab.state import LabState
from respond.lab.timeshift import shift_value, whole_seconds
from respond.settings import Settings, state_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from respond.models.report import Report

_PATH = "/webhooks/sentinel"
_ACCEPTED = 202
_WITHIN = 30.0


def deliver(settings: Settings, story: str, *, url: str, wait: float) -> int:
    """Deliver every incident of the story, or a sample one, and print what became of it.

    Args:
        story: a scenario; empty for the one that the lab tells.
        url: of the service.
        wait: seconds to wait for the answer to each user that the incident names.

    Returns:
        0 when each user was answered in time, else 1.

    Raises:
        UsageError: the lab tells another story, or the service cannot be asked.
        RunFailed: the service did not take the delivery.
    """
    data, told = _story(settings, story)
    outline = scenario.outline(data)
    if settings.lab.url:
        shift, state = whole_seconds(datetime.now(UTC), outline.now), None
    else:
        state = LabState(told)
        shift = state.open(data).shift
    missing = 0
    for number, entry in enumerate(shift_value(outline.incidents or [sample_incident(outline)], shift), start=1):
        resource = loaded(entry, entry["incident"]["properties"].get("incidentNumber") or number)
        if state and state.incidents.get(resource["name"]) is None:
            resource = state.incidents.put(resource["name"], _loading(entry))
        elif settings.lab.url:
            _announce(settings, resource)
        missing += _delivered(settings, entry, resource, url=url, wait=wait)
    return 1 if missing else 0


def _story(settings: Settings, story: str) -> tuple[Path, Path]:
    """The scenario that is delivered, and where its lab remembers it."""
    data, told = place(settings)
    if story and not settings.lab.url and scenario.find(story) != data:
        raise UsageError(
            f"lab deliver: the lab tells {data.name}, not {story}; before the service starts, run "
            f"`respond lab load {story}`, or set RESPOND_LAB__DATA={story} for both"
        )
    return (scenario.find(story) if story else data), told


def _delivered(settings: Settings, entry: dict[str, Any], resource: dict[str, Any], *, url: str, wait: float) -> int:
    """Deliver one incident; how many of its users were not answered in time."""
    body = json.dumps(_notice(entry, resource)).encode()
    answer = _post(f"{url.rstrip('/')}{_PATH}", body, {"Content-Type": "application/json", **_proof(settings, body)})
    sys.stdout.write(f"delivered  {resource['properties']['title']}, incident {resource['name']}\n")
    sys.stdout.write(f"answer     {answer.status_code} {answer.text}\n")
    sys.stdout.flush()
    if answer.status_code != _ACCEPTED:
        raise RunFailed(f"lab deliver: {url} did not take it ({answer.status_code}); its log says why")
    wanted = len(entry.get("entities", []))
    reports = _answers(settings, str(resource["id"]), str(answer.json()["delivery"]), wait)
    for report in reports:
        about = f"{report.user.upn}  {report.verdict} {report.score}  {report.outcome}"
        sys.stdout.write(f"case       {report.case}  {about}  (respond show {report.case})\n")
    if len(reports) < wanted:
        left = wanted - len(reports)
        sys.stdout.write(
            f"waiting    {left} of {wanted} not answered after {wait:g} s; `respond cases` shows them later\n"
        )
    return wanted - len(reports)


def _loading(entry: dict[str, Any]) -> Callable[[dict[str, Any] | None, int], dict[str, Any]]:
    """What puts the incident into the lab's Sentinel under a free number."""
    return lambda _before, number: loaded(entry, number)


def _notice(entry: dict[str, Any], resource: dict[str, Any]) -> dict[str, Any]:
    """The body that Sentinel's automation rule gives to the Logic App."""
    lists = {"relatedEntities": entry.get("entities", []), "alerts": entry.get("alerts", []), "comments": []}
    return {
        "eventUniqueId": str(uuid.uuid4()),
        "objectSchemaType": "Incident",
        "objectEventType": "Create",
        "workspaceInfo": {
            "SubscriptionId": SUBSCRIPTION_ID,
            "ResourceGroupName": RESOURCE_GROUP,
            "WorkspaceName": WORKSPACE_NAME,
        },
        "workspaceId": WORKSPACE_ID,
        "object": {**resource, "properties": {**resource["properties"], **lists}},
    }


def _proof(settings: Settings, body: bytes) -> dict[str, str]:
    """What lets the delivery in: a signature or a token, as the settings of the service ask."""
    webhook = settings.webhook
    secret = next((one for one in (webhook.hmac_secret, webhook.hmac_secret_next) if one.get_secret_value()), None)
    if secret:
        from respond.webhook.signatures import SIGNATURE, TIMESTAMP, sign

        now = str(int(time.time()))
        return {TIMESTAMP: now, SIGNATURE: f"v1={sign(secret, now, body)}"}
    if not webhook.audience:
        return {}
    return {"Authorization": f"Bearer {_token(settings, webhook.audience)}"}


def _token(settings: Settings, audience: str) -> str:
    if not settings.lab.url:
        raise UsageError(
            "lab deliver: webhook.audience asks for a token, which only a lab with an address issues; run `respond lab "
            "serve`, and set lab.url for the service and for this command"
        )
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": "lab"}
    url = f"{settings.lab.url.rstrip('/')}/{TENANT_ID}/oauth2/v2.0/token"
    answer = _send("POST", url, data={**form, "scope": f"{audience}/.default"})
    return str(answer.json()["access_token"])


def _announce(settings: Settings, resource: dict[str, Any]) -> None:
    """Have the incident stand in the lab's Sentinel, where the service comments on it."""
    url = f"{settings.lab.url.rstrip('/')}{resource['id']}?api-version=2025-09-01"
    token = _token(settings, "https://management.azure.com")
    properties = {key: resource["properties"][key] for key in ("title", "severity", "status")}
    _send("PUT", url, json={"properties": properties}, headers={"Authorization": f"Bearer {token}"})


def _post(url: str, body: bytes, headers: dict[str, str]) -> Any:  # noqa: ANN401 - httpx is loaded when it is needed
    return _send("POST", url, content=body, headers=headers)


def _send(method: str, url: str, **more: Any) -> Any:  # noqa: ANN401
    import httpx

    try:
        return httpx.request(method, url, timeout=_WITHIN, **more)
    except httpx.HTTPError as error:
        why = str(error) or type(error).__name__
        raise RunFailed(
            f"lab deliver: nothing answers at {url} ({why}); start `respond serve`, or give --url"
        ) from error


def _answers(settings: Settings, incident: str, delivery: str, wait: float) -> list[Report]:
    """The newest report on each user of the incident, once the delivery is answered or the time is over."""
    from respond.store.cases import Store

    end = time.monotonic() + wait
    with closing(Store(state_url(settings))) as store:
        while store.intake.is_open("lab", delivery) and time.monotonic() < end:
            time.sleep(0.2)
        return [
            one
            for one in store.all_reports()
            if any(seen.incident and seen.incident.lower() == incident.lower() for seen in one.sightings)
        ]
