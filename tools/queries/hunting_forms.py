"""Writes each shipped query as Defender XDR is asked it, for `kql-check` to bind to the tables of advanced hunting.

    python -m tools.queries.hunting_forms DIR

Columns that Defender does not document are left out, as they are once it has said that it does not know them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from respond.clients.degrade import names, without_known
from respond.clients.dialect import MOVABLE, for_defender, hunting_tables
from respond.log_schema import sentinel_tables, xdr_tables
from respond.settings import shipped_config


def hunting_forms() -> Iterator[tuple[str, str]]:
    """Name and text of every query that Defender may be asked."""
    for path in sorted((shipped_config() / "queries").glob("*.kql")):
        text = path.read_text(encoding="utf-8")
        used = names(text) & sentinel_tables().keys()
        if used & MOVABLE:
            yield path.name, f"// tables-of: defender_xdr\n{_documented(for_defender(_without(text, used - MOVABLE)))}"


def _without(text: str, absent: set[str] | frozenset[str]) -> str:
    return without_known(text, dict.fromkeys(absent, ""))[0]


def _documented(text: str) -> str:
    used = names(text)
    known = {column for table in used & MOVABLE for column in xdr_tables()[table]}
    named = {column for table in used & MOVABLE for column in hunting_tables()[table]} & used
    return without_known(text, dict.fromkeys(named - known, ""), hunting_tables())[0]


def main(folder: Path) -> None:
    """Write them into a folder, each under its own name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in hunting_forms():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
