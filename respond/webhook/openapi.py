"""What the service says of itself in `/openapi.json`."""

from __future__ import annotations

from typing import Any

_PROBLEM = {
    "application/problem+json": {
        "schema": {
            "type": "object",
            "required": ["title", "status", "detail"],
            "properties": {
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
            },
        }
    }
}
_ACCEPTED = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["cases", "duplicate", "delivery"],
            "properties": {
                "cases": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "cases that the delivery is known to be about; none as yet for a new one",
                },
                "duplicate": {"type": "boolean", "description": "nothing new has to be done for it"},
                "delivery": {"type": "string", "description": "the delivery that does the work"},
            },
        }
    }
}
_STATUS = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["status"],
            "properties": {"status": {"type": "string"}},
        }
    }
}


def _refused(**reasons: str) -> dict[int | str, dict[str, Any]]:
    return {
        int(status.removeprefix("s")): {"description": reason, "content": _PROBLEM}
        for status, reason in reasons.items()
    }


DELIVER: dict[str, Any] = {
    "summary": "Deliver an incident, an alert or an entity of Microsoft Sentinel",
    "status_code": 202,
    "response_model": None,
    "responses": {
        202: {"description": "Written down; the work has begun.", "content": _ACCEPTED},
        **_refused(
            s400="Not JSON, or not whole.",
            s401="No token and no signature that is taken here.",
            s403="Known, and not allowed; or of another workspace.",
            s408="The body did not come in time.",
            s413="More than 2 MiB, also once decompressed.",
            s415="Not called JSON, or compressed in another way than gzip.",
            s422="JSON, but no delivery; `detail` says where.",
            s429="Too many deliveries wait. Retry-After says when to come again.",
            s503="The tenant's signing keys cannot be had just now. Retry-After says when to come again.",
        ),
    },
    "openapi_extra": {
        "requestBody": {
            "required": False,
            "description": "@triggerBody() of a Logic App: incident, alert or entity; {} from the Run button.",
            "content": {"application/json": {"schema": {"type": "object", "additionalProperties": True}}},
        },
    },
}
HEALTH: dict[str, Any] = {
    "response_model": None,
    "responses": {200: {"description": "The process answers.", "content": _STATUS}},
}
READY: dict[str, Any] = {
    "response_model": None,
    "responses": {
        200: {"description": "It can take deliveries and work on them.", "content": _STATUS},
        **_refused(s503="It cannot just now; `detail` says why."),
    },
}
METRICS: dict[str, Any] = {
    "response_model": None,
    "responses": {
        200: {
            "description": "Figures for Prometheus.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
}
