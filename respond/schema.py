"""The JSON Schema of a report, generated from the models; `config/report.schema.json` is its shipped copy."""

from __future__ import annotations

import json


def schema_text() -> str:
    """JSON Schema, draft 2020-12, with a newline at the end."""
    from respond.models.report import Report

    schema = Report.model_json_schema(by_alias=True, mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "respond report"
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"
