"""Risk and advanced hunting.

https://learn.microsoft.com/graph/api/resources/riskyuser
https://learn.microsoft.com/graph/api/security-security-runhuntingquery
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from respond.lab import clock
from respond.lab.graph_call import Call
from respond.lab.kql_answer import Result
from respond.lab.kql_errors import QueryError, QueryTimeout
from respond.lab.odata import GraphError, bad_request, collection, entity, equality, not_found
from respond.lab.timespan import read_window
from respond.lab.web import Reply

_HUNTING_ROWS = 100_000
_HUNTING_TIME = timedelta(minutes=3)
_NET_TYPES = {
    "string": "String", "datetime": "DateTime", "dynamic": "Object", "int": "Int32", "long": "Int64", "real": "Double",
    "bool": "SByte", "guid": "Guid", "timespan": "TimeSpan", "decimal": "SqlDecimal",
}  # fmt: skip


async def list_risky_users(call: Call) -> Reply:
    """GET /identityProtection/riskyUsers, with `$filter` on id."""
    wanted = equality(call.request, ("id",))
    found = call.state.all("riskyUsers")
    if wanted is not None:
        found = [item for item in found if item["id"].lower() == wanted[1].lower()]
    return collection(call.request, "identityProtection/riskyUsers", [_named(call, item) for item in found])


async def get_risky_user(call: Call) -> Reply:
    """GET /identityProtection/riskyUsers/{user id}; 404 for a user who was never at risk."""
    found = call.state.get("riskyUsers", call.params["user"])
    if found is None:
        raise not_found(call.params["user"])
    return entity(call.request, "identityProtection/riskyUsers/$entity", _named(call, found))


def _named(call: Call, risky: dict[str, Any]) -> dict[str, Any]:
    user = call.state.get("users", risky["id"]) or {}
    return {"userPrincipalName": user.get("userPrincipalName"), "userDisplayName": user.get("displayName"), **risky}


async def run_hunting_query(call: Call) -> Reply:
    """POST /security/runHuntingQuery {"Query", "Timespan"}: the last 30 days unless it says otherwise."""
    body = call.request.json()
    if not isinstance(body, dict):
        raise bad_request("The request body must be a JSON object.", "BadRequest")
    given = {name.lower(): value for name, value in body.items()}
    query, timespan = given.get("query"), given.get("timespan") or "P30D"
    if not isinstance(query, str) or not isinstance(timespan, str):
        raise bad_request("Query is required, and Query and Timespan must be strings.", "BadRequest")
    engine = await call.hunting()
    try:
        window = read_window(timespan, clock.now())
        result = await asyncio.to_thread(
            engine.run, query, window=window, row_limit=_HUNTING_ROWS, timeout=_HUNTING_TIME
        )
    except (QueryError, ValueError) as error:
        raise bad_request(str(error), "BadRequest") from error
    except QueryTimeout:
        raise GraphError(504, "GatewayTimeout", "The query did not finish in 3 minutes.") from None
    return entity(call.request, "microsoft.graph.security.huntingQueryResults", _hunting_results(result))


def _hunting_results(result: Result) -> dict[str, Any]:
    names = [column.name for column in result.columns]
    schema = [{"name": column.name, "type": _NET_TYPES.get(column.type, "String")} for column in result.columns]
    return {"schema": schema, "results": [dict(zip(names, map(_as_net, row), strict=True)) for row in result.rows]}


def _as_net(value: Any) -> Any:
    """Advanced hunting has yes and no as a number of eight bits."""
    return int(value) if isinstance(value, bool) else value
