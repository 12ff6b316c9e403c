"""The pages that a program writes: permissions, settings, policy. `python -m tools.pages.write`, or `make docs`.

Permissions are read from the actions themselves; settings are the shipped files, comments and all.
"""

from __future__ import annotations

import re
from pathlib import Path

from respond.doctor.declared import Need, needs

ROOT = Path(__file__).parents[2]
_AZURE_ROLES = ("Log Analytics Reader", "Microsoft Sentinel Responder")

_PERMISSIONS = """# Permissions

Every action declares the least permissions that it needs, and these tables are read from the actions
(`respond permissions`, with `--json` for programs). *Reads* is what a dry run, `respond hunt` and `respond backtest`
need; *writes* is what containing needs beside it. A permission that is missing makes a gap, or a refused action that
names it; never a guess. How to grant them: [First real tenant](real-tenant.md).
"""

_SETTINGS = """# Settings

`respond.toml`, as it ships: each key with its default. The file is looked for in `--config DIR`, `$RESPOND_CONFIG`,
`./config` and the shipped copy, in this order; what it leaves out has the default.

Any key can be set in the environment as `RESPOND_<SECTION>__<KEY>`, a list as JSON:
`RESPOND_WEBHOOK__CALLERS='["…"]'`. For secrets, files are better: with `RESPOND_SECRETS=/run/secrets`, a file
`webhook__hmac_secret` in that directory is that key. The environment outranks the files, the files outrank
`respond.toml`. An unknown key or a wrong type is one line that names the key and where it came from, and exit code 2.
"""

_POLICY = """# Policy

What the decision goes by, and what is done about it, as it ships. How to change it: [Tuning](tuning.md).
"""


def pages() -> dict[str, str]:
    """Each page by its name in `docs/`."""
    return {
        "permissions.md": _PERMISSIONS + _permissions(),
        "settings.md": _SETTINGS + _sections("respond.toml"),
        "policy.md": f"{_POLICY}\n# policy.toml\n{_sections('policy.toml')}\n# ladder.toml\n{_sections('ladder.toml')}",
    }


def _permissions() -> str:
    found: dict[str, list[Need]] = {}
    for need in needs():
        found.setdefault(need.permission, []).append(need)
    tables = (
        ("reads", [name for name in sorted(found) if not all(need.writes for need in found[name])]),
        ("writes", [name for name in sorted(found) if all(need.writes for need in found[name])]),
    )
    return "".join(_table(title, {name: found[name] for name in names}) for title, names in tables)


def _table(title: str, permissions: dict[str, list[Need]]) -> str:
    rows = [f"\n## {title.capitalize()}", "| permission | kind | action | what for |", "|---|---|---|---|"]
    for name, wanted in permissions.items():
        kind = "Azure role on the workspace" if name in _AZURE_ROLES else "Graph, application"
        rows += [f"| {name} | {kind} | `{need.action}` | {_cell(need.what)} |" for need in wanted]
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _sections(name: str) -> str:
    """A TOML file with a heading for each of its tables."""
    text = (ROOT / "config" / name).read_text(encoding="utf-8")
    parts = re.split(r"^(?=(?:#[^\n]*\n)*\[)", text, flags=re.MULTILINE)
    return "".join(_section(part) for part in parts)


def _section(part: str) -> str:
    title = re.search(r"^\[+([\w.-]+)\]+", part, re.MULTILINE)
    heading = f"\n## {title[1]}" if title else ""
    return f"{heading}\n```toml\n{part.strip()}\n```\n"


def main() -> None:
    """Write them anew."""
    for name, text in pages().items():
        (ROOT / "docs" / name).write_text(text, encoding="utf-8")
        print(f"docs     {name}")


if __name__ == "__main__":
    main()
