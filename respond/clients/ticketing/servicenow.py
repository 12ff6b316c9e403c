"""Tickets as records of a ServiceNow table: the Table API, or the Import Set API where a table for it is configured.

    GET   /api/now/table/{table}?sysparm_query=correlation_id=CASE
    POST  /api/now/table/{table}
    PATCH /api/now/table/{table}/{sys_id}
    POST  /api/now/import/{import set table}
    https://www.servicenow.com/docs/r/api-reference/rest-apis/c_TableAPI.html and c_ImportSetAPI.html beside it

ServiceNow's own client for Python, pysnc, is not used: it sets no limit on the time of a request, prints a traceback
for an answer that it cannot read, knows no import sets, and blocks a thread that goes on writing after its run has
given up.

A POST to the table may create a record and answer 500, and then create another: whoever calls looks in between. A
record is found as soon as it is there, but an instance may still be at work on a request that we have given up; it
ends those after 60 seconds (default quota rule "REST Table API request timeout"), hence `lags`. An import set whose
transform map coalesces on `correlation_id` cannot create two, however often it is sent.

Leaves open: work notes are not written, since they pile up when a ticket is written again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Self

from respond.clients.guard import Check
from respond.clients.ticketing import formats
from respond.clients.ticketing.markup import one_line
from respond.clients.ticketing.outgoing import Manners
from respond.clients.ticketing.wire import Wire, checked_key, objects
from respond.errors import NotFound, Permanent, Unanswered
from respond.models.tickets import Draft, Found, Severity
from respond.settings import Retry, Tickets

_FIELDS = "sys_id,number,correlation_id"
_HOW_SOON = {Severity.HIGH: "1", Severity.MEDIUM: "2", Severity.LOW: "3"}
_LONGEST_TITLE = 160
_NO_IMPORT = "ServiceNow: the answer of the import set does not say what it wrote"
_LONGEST_AT_WORK = timedelta(seconds=60)


class ServiceNow:
    """One table of one instance.

    Args:
        settings: `tickets`; the section `servicenow` is complete.
    """

    name = "servicenow"

    def __init__(self, settings: Tickets, *, check: Check, retry: Retry) -> None:
        ours = settings.servicenow
        self._table = ours.table
        self._import_set = ours.import_set
        self._longest = ours.description_length
        self.lags = timedelta() if ours.import_set else _LONGEST_AT_WORK
        manners = Manners(
            name="ServiceNow",
            secret=ours.password,
            hints={
                400: "tickets.servicenow.table or .import_set names no table that can be written",
                401: "tickets.servicenow.user or .password is wrong, or basic authentication is off for this user",
                403: f"tickets.servicenow.user needs a role that may read, create and write {self._where}",
                404: f"tickets.servicenow.url is no instance, or has no {self._where}",
            },
            said=_said,
        )
        self._wire = Wire(ours.url, manners, user=ours.user, check=check, limit=retry.request_timeout)

    @classmethod
    def of(cls, settings: Tickets, *, check: Check, retry: Retry) -> Self:
        return cls(settings, check=check, retry=retry)

    @property
    def _where(self) -> str:
        return f"table {self._table}" + (f" and import set {self._import_set}" if self._import_set else "")

    async def find(self, key: str) -> Found | None:
        """The first record of the case, if there are several.

        An instance drops a condition on a column that it does not know and answers with any record (unless
        `glide.invalid_query.returns_no_rows` is set), so the record has to say itself whose it is.
        """
        query = {
            "sysparm_query": f"correlation_id={checked_key(key)}^ORDERBYsys_created_on",
            "sysparm_fields": _FIELDS,
            "sysparm_limit": "1",
        }
        answer = await self._wire.send("GET", f"/api/now/table/{self._table}", query=query)
        records = objects(answer.get("result"), "ServiceNow: the answer to a search holds no list of records")
        if not records:
            return None
        if records[0].get("correlation_id") != key:
            raise Permanent(
                f"ServiceNow: table {self._table} has no column correlation_id that tickets.servicenow.user can read; "
                "tickets cannot be found again in it"
            )
        return self._found(records[0])

    async def create(self, draft: Draft) -> Found:
        """One POST; the import set updates a record that is there already."""
        fields = {"correlation_id": checked_key(draft.key), "correlation_display": "respond"} | self._says(draft)
        if self._import_set:
            return await self._bring_in(fields)
        only = {"sysparm_fields": _FIELDS}
        answer = await self._wire.send("POST", f"/api/now/table/{self._table}", query=only, body=fields)
        return self._found(answer.get("result"))

    async def update(self, found: Found, draft: Draft) -> None:
        """Write title, text and urgency. State and assignment belong to people."""
        if not self._import_set:
            path = f"/api/now/table/{self._table}/{found.handle}"
            answer = await self._wire.send("PATCH", path, body=self._says(draft))
            if self._found(answer.get("result")).handle != found.handle:
                raise Unanswered(f"ServiceNow: the answer is about another record than {found.id}")
        elif await self.find(draft.key) is None:
            raise NotFound(f"ServiceNow: {found.id} of case {draft.key} is gone from table {self._table}")
        else:
            await self.create(draft)

    async def close(self) -> None:
        await self._wire.close()

    def _says(self, draft: Draft) -> dict[str, str]:
        return {
            "short_description": one_line(draft.title, _LONGEST_TITLE),
            "description": formats.plain(draft, most=self._longest),
            "urgency": _HOW_SOON[draft.severity],
            "impact": _HOW_SOON[draft.severity],
        }

    async def _bring_in(self, fields: dict[str, str]) -> Found:
        """Columns of an import set table are called as those of the target, or with `u_` before it."""
        row = fields | {f"u_{name}": value for name, value in fields.items()}
        answer = await self._wire.send("POST", f"/api/now/import/{self._import_set}", body=row)
        said = (answer["result"] or []) if "result" in answer else None
        into = [one for one in objects(said, _NO_IMPORT) if one.get("table") == self._table]
        if not into or into[0].get("status") not in ("inserted", "updated", "ignored"):
            raise Permanent(
                f"ServiceNow: import set {self._import_set} wrote nothing to table {self._table}; its transform map "
                "has to coalesce on correlation_id (tickets.servicenow.import_set)"
            )
        return self._found(into[0] | {"number": into[0].get("display_value")})

    def _found(self, record: Any) -> Found:
        handle = record.get("sys_id") if isinstance(record, dict) else None
        if not isinstance(handle, str) or not handle.isalnum():
            raise Unanswered("ServiceNow: the answer names no record")
        url = f"{self._wire.root}/{self._table}.do?sys_id={handle}"
        return Found(handle=handle, id=str(record.get("number") or handle), url=url)


def _said(body: dict[str, Any]) -> str:
    error = body.get("error")
    if not isinstance(error, dict):
        return ""
    return ": ".join(str(part) for part in (error.get("message"), error.get("detail")) if part)
