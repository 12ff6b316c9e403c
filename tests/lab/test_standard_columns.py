"""Rows of an export have the columns that every table of a workspace has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from respond.lab.columns import STANDARD, sentinel_tables
from respond.lab.rows import TableFile

VALUES = {"string": "x", "datetime": "2026-01-15T09:40:00Z", "real": 1.5}


@pytest.mark.parametrize("table", ["SigninLogs", "AuditLogs", "OfficeActivity", "EmailEvents"])
def test_a_row_of_an_export_is_taken_with_its_standard_columns(table: str, tmp_path: Path) -> None:
    row = {name: VALUES[kind] for name, kind in STANDARD.items() if name not in sentinel_tables()[table]}
    file = tmp_path / f"{table}.jsonl"
    file.write_text(json.dumps({"TimeGenerated": "2026-01-15T09:40:00Z", "TenantId": "x", **row}) + "\n")
    (read,) = TableFile(file, file.stat().st_size)
    assert read.keys() >= row.keys()
    assert "TenantId" in read
