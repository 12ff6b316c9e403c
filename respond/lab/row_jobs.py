"""One part of a table's file: checked, and if asked for moved to the present and written as DuckDB reads it.

Run as a module it is a worker: jobs come in as lines of JSON, and for each one line goes out, null or the mistake.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from respond.errors import UsageError
from respond.lab.columns import (
    TIME_COLUMN,
    XDR_TIME_COLUMN,
    Columns,
    columns_of,
    split_timestamp,
    workspace_tables,
    xdr_tables,
)
from respond.lab.rows import Part, Row, TableFile, read_rows
from respond.lab.timeshift import shift_row

FORMS = {"workspace": workspace_tables, "hunting": xdr_tables}
"""Form of the rows -> the tables there are: as a Log Analytics workspace holds them, or as advanced hunting does."""

_encode = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class Job:
    """What is to be done with a part.

    Attributes:
        form: a key of `FORMS`.
        shift: whole seconds to add to every time.
        out: where the rows go, one JSON object a line; empty to check them only.
    """

    part: Part
    form: str = ""
    shift: int = 0
    out: str = ""

    def run(self) -> None:
        """Do it.

        Raises:
            UsageError: the first mistake in the part.
        """
        if not self.out:
            deque(read_rows(self.part), maxlen=0)
            return
        with Path(self.out).open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        table, shift = self.part.path.stem, timedelta(seconds=self.shift)
        given, columns = columns_of(table) or {}, FORMS[self.form]()[table]
        times = [name for name, kind in columns.items() if kind == "datetime"]
        for row in read_rows(self.part):
            moved = shift_row(row, given, shift)
            if self.form == "hunting":
                moved = _as_xdr(moved, columns)
            for name in times:
                if moved.get(name):
                    moved[name] = _plain(moved[name])
            yield _encode(moved)


def jobs_for(file: TableFile, form: str, shift: timedelta, folder: Path) -> Iterator[Job]:
    """The jobs that make a form of a table, with their results in a folder; a table that the form lacks is checked."""
    wanted = file.table in FORMS[form]()
    for part in file.parts():
        out = folder / f"{file.table}-{part.start}.json"
        yield Job(part, form, round(shift.total_seconds()), str(out)) if wanted else Job(part)


def _plain(timestamp: str) -> str:
    """DuckDB keeps microseconds; a seventh digit and beyond is dropped, as a cast to TIMESTAMP refuses some of them."""
    return timestamp.removesuffix("Z")[:26]


def _as_xdr(row: Row, columns: Columns) -> Row:
    """A workspace row as advanced hunting has it: Timestamp for TimeGenerated, its own names and types, no others."""
    known = {XDR_TIME_COLUMN: row.get(TIME_COLUMN), **row}
    if "ISP" in row and "Isp" in columns:
        known["Isp"] = row["ISP"]
    return {name: _retype(value, columns[name]) for name, value in known.items() if name in columns}


def _retype(value: Any, kind: str) -> Any:
    if kind == "datetime":
        return value if isinstance(value, str) and split_timestamp(value) else None
    if kind == "string" and value is not None and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if kind in ("int", "long") and isinstance(value, str):
        return int(value) if value.isdecimal() else None
    if kind == "dynamic" and isinstance(value, str) and value.startswith(("{", "[")):
        return json.loads(value)
    return value


def as_line(job: Job) -> str:
    """A job as a worker takes it."""
    return json.dumps(asdict(job), default=str) + "\n"


def _from_line(line: str) -> Job:
    fields = json.loads(line)
    part = fields.pop("part")
    return Job(Part(**part | {"path": Path(part["path"])}), **fields)


def _work() -> None:
    """Do jobs until the input ends, as it does when the parent dies, however it dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to answer
    gc.disable()  # rows hold no cycles, and looking for them costs a tenth
    for line in sys.stdin:
        said = None
        try:
            _from_line(line).run()
        except (UsageError, OSError) as error:
            said = str(error)
        try:
            os.write(1, (json.dumps(said) + "\n").encode())
        except BrokenPipeError:
            return


if __name__ == "__main__":
    _work()
