"""A ServiceNow instance: the Table API, the Import Set API, and what they are known to do wrong.

https://www.servicenow.com/docs/r/api-reference/rest-apis/c_TableAPI.html and c_ImportSetAPI.html beside it
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from tests.fakes.served import Answer, Fault, Request

USER, PASSWORD = "respond", "made up: pass phrase"
LENGTHS = {"short_description": 160, "description": 4000}
COLUMNS = ["sys_id", "number", "sys_created_on", "correlation_id", "correlation_display", *LENGTHS, "urgency", "impact"]


class ServiceNow:
    """One instance with a table `incident`, and an import set table `u_respond` whose map coalesces.

    Attributes:
        records: of `incident`, oldest first; each creation makes one, whatever its correlation id.
        columns: of `incident`. What a query or a body says of others is dropped without a word.
        can_write: the user has the role.
    """

    def __init__(self) -> None:
        self.url = ""
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.records: list[dict[str, str]] = []
        self.columns = list(COLUMNS)
        self.can_write = True

    def answer(self, request: Request) -> Answer:
        expected = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if request.headers.get("authorization") != expected:
            return _error(401, "User Not Authenticated", "Required to provide Auth information")
        match request.path.strip("/").split("/"):
            case ["api", "now", "table", "incident"]:
                return self._list(request.query) if request.method == "GET" else self._insert(request)
            case ["api", "now", "table", "incident", sys_id] if request.method == "PATCH":
                return self._patch(sys_id, request.body)
            case ["api", "now", "import", "u_respond"] if request.method == "POST":
                return self._import(request.body)
            case ["api", "now", kind, name, *_]:
                return _error(400, f"Invalid {kind} {name}", None)
            case _:
                return _error(404, "Requested URI does not represent any resource", None)

    def _list(self, query: dict[str, str]) -> Answer:
        found = list(self.records)
        for part in query["sysparm_query"].split("^"):
            name, is_condition, value = part.partition("=")
            if is_condition and name in self.columns:
                found = [record for record in found if record.get(name) == value]
        found = found[: int(query.get("sysparm_limit", "10000"))]
        return Answer(200, {"result": [self._shown(record, query) for record in found]})

    def _insert(self, request: Request) -> Answer:
        if not self.can_write:
            return _error(403, "Operation Failed", "ACL Exception Insert Failed due to security constraints")
        return Answer(201, {"result": self._shown(self._create(request.body), request.query)})

    def _create(self, values: dict[str, str]) -> dict[str, str]:
        count = len(self.records) + 1
        record = {
            "sys_id": f"{count:032x}",
            "number": f"INC{count:07}",
            "sys_created_on": f"2026-01-01 00:00:{count:02}",
        }
        self.records.append(record)
        self._set(record, values)
        return record

    def _patch(self, sys_id: str, values: dict[str, str]) -> Answer:
        for record in self.records:
            if record["sys_id"] == sys_id:
                self._set(record, values)
                return Answer(200, {"result": record})
        return _error(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")

    def _set(self, record: dict[str, str], values: dict[str, str]) -> None:
        for name, value in values.items():
            if name in self.columns:
                record[name] = value[: LENGTHS.get(name, 255)]

    def _import(self, values: dict[str, str]) -> Answer:
        row = {name.removeprefix("u_"): value for name, value in values.items() if name.startswith("u_")}
        there = [record for record in self.records if record.get("correlation_id") == row["correlation_id"]]
        record = there[0] if there else self._create(row)
        self._set(record, row)
        result = {
            "transform_map": "respond",
            "table": "incident",
            "display_name": "number",
            "display_value": record["number"],
            "record_link": f"{self.url}/api/now/table/incident/{record['sys_id']}",
            "status": "updated" if there else "inserted",
            "sys_id": record["sys_id"],
        }
        return Answer(201, {"import_set": "ISET0010001", "staging_table": "u_respond", "result": [result]})

    def _shown(self, record: dict[str, str], query: dict[str, str]) -> dict[str, Any]:
        wanted = query["sysparm_fields"].split(",") if "sysparm_fields" in query else self.columns
        return {name: record.get(name, "") for name in wanted if name in self.columns}


def _error(status: int, message: str, detail: str | None) -> Answer:
    return Answer(status, {"error": {"message": message, "detail": detail}, "status": "failure"})
