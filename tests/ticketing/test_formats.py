"""One text in the format of each ticket system: nothing of it is lost, and nobody but us writes markup."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from respond.clients.ticketing import adf, formats, github_markdown
from respond.clients.ticketing.markup import Blocks, Kind, one_line, read
from respond.models.report import Outcome
from respond.models.tickets import Draft, Severity
from tests.ticketing.adf_schema import mistakes

if TYPE_CHECKING:
    from markdown_it.token import Token

GITHUB = MarkdownIt("commonmark", {"maxNesting": 200}).enable(["table", "strikethrough"])
PARTS = ["@", "#1", "*", "_", "`", "[", "](", ")", "<b>", "<!--", "-->", "&lt;", "$x$", "|", "~~", "\\", "\n", "\n\n"]
PARTS += ["://", "www.", ":100:", "GH-1", "deadbeef", "- ", "1. ", "1) ", "> ", "# ", "    ", "=", "---", "```", "+ "]
PARTS += [
    "x",
    " ",
    "\t",
    "user",
    "contoso.com",
    "\x00",
    "\u202e",
    "\ud800",
    "[code]",
    "&#32;",
    "&#64;a",
    "\u00a0",
    "**",
    "é",
]
text = st.one_of(st.lists(st.sampled_from(PARTS), max_size=14).map("".join), st.text(max_size=40))

PAGE = """\
# MALICIOUS 97

The *redeeming* address is **known**, `python-requests`\\
second line

1. click
2. approval

   - nested `code`

> quoted

```
KQL | where x == "y"
```

---

user\\_one \\@here done
"""


def draft(body: str, **values: Any) -> Draft:
    given: dict[str, Any] = {"key": "DC-7F3K2Q", "title": "t", "body": body}
    return Draft(severity=Severity.HIGH, outcome=Outcome.CONTAINED_VERIFIED, **(given | values))


def words(blocks: Blocks) -> str:
    """What is to be seen, without spaces."""
    parts = [span.text for block in blocks for span in block.spans]
    for block in blocks:
        parts += [words(item) for item in block.items]
    return "".join(sorted("".join("".join(parts).split())))


def seen(node: dict[str, Any]) -> str:
    return str(node.get("text", "")) + "".join(seen(child) for child in node.get("content", []))


def same(shown: str, source: str) -> bool:
    """Whether the same signs are to be seen, whatever their order."""
    return "".join(sorted("".join(shown.split()))) == words(read(source))


def tokens(markdown: str) -> list[Token]:
    return [one for token in GITHUB.parse(markdown) for one in (token, *(token.children or ()))]


@given(text)
@example(PAGE)
def test_any_text_becomes_a_document_that_jira_takes_and_loses_nothing(body: str) -> None:
    document = formats.jira(draft(body))
    assert mistakes(document) == []
    assert same(seen(document), body)
    json.dumps(document).encode()


@given(text)
@example(PAGE)
@example("    @x")
@example("1\\) a")
@example("`` ` `` and ``` `` ```")
def test_nothing_but_our_own_markup_is_left_for_github(body: str) -> None:
    found = tokens(github_markdown.text(read(body)))
    html = {token.content for token in found if token.type == "html_inline"}
    assert html <= {"<!-- -->", "<em>", "</em>", "<strong>", "</strong>", "<span>", "</span>"}
    kinds = {token.type.removesuffix("_open").removesuffix("_close") for token in found}
    assert kinds <= {
        *("heading", "paragraph", "inline", "text", "code_inline", "hardbreak", "html_inline", "fence", "hr"),
        *("bullet_list", "ordered_list", "list_item", "blockquote", "softbreak", "text_special"),
    }
    assert same("".join(token.content for token in found if token.type in ("text", "code_inline", "fence")), body)


# What GitHub looks for in text after Markdown, outside code.
SUMMONED = re.compile(
    r"@\w|#\d|gh-\d|www\.|://|:[\w+-]+:|\$|(?<![0-9a-z])[0-9a-f]{7,40}(?![0-9a-z])", re.IGNORECASE | re.ASCII
)


@given(text)
@example("@contoso/soc")
@example("fe80:100:1 :+1: commit deadbeef1 hxxps://x ftp://x www.x.example GH-7 contoso/repo#7 a@b.example $a$ #7")
def test_github_finds_nobody_to_call_and_nothing_to_link(body: str) -> None:
    runs = [""]
    for token in tokens(github_markdown.text(read(body))):
        if token.type in ("text", "text_special"):
            runs[-1] += token.content
        elif token.type not in ("inline", "html_inline") or token.content in ("<!-- -->", "<span>", "</span>"):
            runs.append("")
    assert [run for run in runs if run != "$" and SUMMONED.search(run)] == []


def test_each_block_keeps_its_kind_for_github() -> None:
    kinds = [block.kind for block in read(PAGE)]
    assert kinds == [*(Kind.HEADING, Kind.PARAGRAPH, Kind.NUMBERS, Kind.QUOTE, Kind.CODE, Kind.RULE, Kind.PARAGRAPH)]
    assert [block.kind for block in read(github_markdown.text(read(PAGE)))] == kinds


def test_the_text_for_github_reads_as_it_was_meant() -> None:
    assert github_markdown.text(read(PAGE)) == (
        "# MALICIOUS 97\n\n"
        "The <em>redeeming</em> address is <strong>known</strong>, `python-requests`\\\nsecond line\n\n"
        "1. click\n2. approval\n\n   - nested `code`\n\n> quoted\n\n"
        '```\nKQL | where x == "y"\n```\n\n***\n\nuser\\_one @<!-- -->here done'
    )


def test_the_document_for_jira_reads_as_it_was_meant() -> None:
    document = adf.document(read("## Why\n\n- **a** `b`\n\n> # q\n"))
    strong = {"type": "text", "text": "a", "marks": [{"type": "strong"}]}
    item = [strong, {"type": "text", "text": " "}, {"type": "text", "text": "b", "marks": [{"type": "code"}]}]
    quoted = {"type": "text", "text": "q", "marks": [{"type": "strong"}]}
    assert document["content"] == [
        {"type": "heading", "attrs": {"level": 2}, "content": [{"type": "text", "text": "Why"}]},
        {"type": "bulletList", "content": [{"type": "listItem", "content": [{"type": "paragraph", "content": item}]}]},
        {"type": "blockquote", "content": [{"type": "paragraph", "content": [quoted]}]},
    ]


def test_plain_text_reads_as_it_was_meant() -> None:
    assert formats.plain(draft(PAGE), most=4000) == (
        "MALICIOUS 97\n\nThe redeeming address is known, python-requests\nsecond line\n\n"
        "1. click\n2. approval\n   \n   - nested code\n\n  quoted\n\n"
        'KQL | where x == "y"\n\n--------------------\n\nuser_one @here done'
    )


@given(text)
@example("\\[code\\]<script>alert(1)</script>\\[/code\\]")
@example("\\[co**de**\\]")
@example("\\[ CODE\\]")
def test_plain_text_begins_no_html_in_a_journal_or_a_mail(body: str) -> None:
    shown = formats.plain(draft(body), most=4000)
    assert not re.search(r"\[\s*/?\s*code\s*\]|<[a-z/!?]", shown, re.IGNORECASE)


LONG = (
    "# Verdict first\n\n"
    + "\n".join(f"- evidence {number} of *many*{' words' * 15}" for number in range(700))
    + "\n\nlast words"
)
NOTE = "Cut here; the whole text: respond show DC-7F3K2Q"


def test_a_text_that_is_too_long_is_cut_at_a_block_and_says_so() -> None:
    page, body, line = (
        formats.jira(draft(LONG)),
        formats.github(draft(LONG), first="<!-- x -->"),
        formats.plain(draft(LONG), most=4000),
    )
    size = len(json.dumps(page, ensure_ascii=False, separators=(",", ":")))
    assert formats.JIRA_LONGEST - 500 < size <= formats.JIRA_LONGEST
    assert formats.GITHUB_LONGEST - 200 < len(body.encode()) <= formats.GITHUB_LONGEST
    assert 4000 - 200 < len(line) <= 4000
    for shown in (seen(page["content"][-1]), body.split("\n")[-1], line.split("\n")[-1]):
        assert shown == NOTE
    assert mistakes(page) == []
    assert re.search(r"- evidence \d+ of many[ words]+\n\nCut here", line)
    assert body.startswith("<!-- x -->\n\n# Verdict first\n\n- evidence 0")


def test_a_text_longer_than_any_system_takes_is_cut_with_the_note_even_if_it_would_fit_as_shown() -> None:
    body = "intro\n\n" + f"`` {chr(32) * 1000} ``\n\n" * 210
    assert len(body) > 200_000
    assert formats.github(draft(body)) == f"intro\n\n{NOTE}"


def test_a_value_from_a_log_cannot_push_out_the_rest() -> None:
    body = f"User agent {'A' * 90_000}\n\nwhat to do"
    assert seen(formats.jira(draft(body))).endswith("what to do")
    assert formats.github(draft(body)).endswith("what to do")


@given(st.text(max_size=80), st.integers(min_value=10, max_value=60))
def test_a_title_is_one_short_line_that_calls_nobody(title: str, most: int) -> None:
    line = one_line(f"@soc {title}", most)
    assert len(line) <= most
    assert len(line.splitlines()) == 1
    assert not re.search(r"(?<!\w)@\w", line)


@pytest.mark.parametrize("link", ["https://evil.example/a", "HTTP://evil.example", "[x](https://evil.example)"])
def test_a_link_that_a_template_let_through_is_defanged(link: str) -> None:
    for shown in (
        json.dumps(formats.jira(draft(link))),
        formats.github(draft(link)),
        formats.plain(draft(link), most=900),
    ):
        assert re.search(r"hxxps?:(<!-- -->)?//evil\\*\[\.\\*\]example", shown)
        assert "http" not in shown.casefold()
