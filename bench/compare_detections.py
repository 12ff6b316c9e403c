"""The public detections of the comparison: `bench/detections/*.kql`, and the published hunt as it ships.

Each file is new text for somebody else's idea. Its header names the idea's source: lines `// Key: text`, continued
by lines that begin with `//` and three spaces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from respond.settings import shipped_config

FOLDER = Path(__file__).with_name("detections")
KEYS = ("Detection", "Project", "Rule", "Licence", "Reading", "Returns")
_ENTRY = re.compile(r"^// ([A-Z][a-z]+): (.+(?:\n//   .+)*)", re.MULTILINE)


@dataclass(frozen=True)
class Detection:
    """One query; every person in its answer is alerted on.

    Attributes:
        name: of the file.
        title: what it is called in the table.
        project: whose idea it is.
        text: the query.
        own_window: whether the text itself keeps to the last day; if not, the service is asked to.
    """

    name: str
    title: str
    project: str
    text: str
    own_window: bool = True


def header(text: str) -> dict[str, str]:
    """The entries of a header, each as one line."""
    return {key: " ".join(value.replace("\n//", " ").split()) for key, value in _ENTRY.findall(text)}


def read(path: Path) -> Detection:
    """One file of this folder.

    Raises:
        ValueError: a key of the header is missing.
    """
    text = path.read_text(encoding="utf-8")
    said = header(text)
    if missing := [key for key in KEYS if key not in said]:
        raise ValueError(f"{path.name}: the header lacks {', '.join(missing)}")
    return Detection(path.stem, said["Detection"], said["Project"], text)


def every() -> list[Detection]:
    """All of them, by name."""
    published = Detection(
        name="published_hunt",
        title="hunt-2025-042, every device code sign-in",
        project="Paul Newton",
        text=(shipped_config() / "queries" / "published_hunt.kql").read_text(encoding="utf-8"),
        own_window=False,
    )
    return sorted([published, *map(read, FOLDER.glob("*.kql"))], key=lambda found: found.name)
