"""What tickets and notices say: templates that people edit, and values that attackers chose."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from respond.clients.ticketing.reading import as_html, as_text
from respond.defang import LONGEST_VALUE, as_code, as_markdown, defang
from respond.errors import UsageError
from respond.models.written import FACTS
from respond.settings import shipped_config
from respond.templates import Templates, load_templates
from tests.helpers.command import VICTIM, respond
from tests.helpers.dug_in_story import policy, write_story
from tests.lab.running_lab import RunningLab

Lab = Callable[..., RunningLab]
CORPUS = [
    "<script>alert(1)</script>",
    "<img src=https://evil.example/x onerror=alert(1)>",
    "[click](https://evil.example) ![x](https://evil.example/p.png)",
    "<https://evil.example> https://evil.example/a?b=c#d www.evil.example ftp://evil.example",
    "[ref]: https://evil.example",
    "@here @everyone <!channel> <@U012> [~accountid:1] @octocat #123 GH-1",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "`code` ``two`` ```three``` \\` &amp; &#60; &lt;b&gt;",
    "a\nb\r\nc\u2028d\x00e",
    "# heading",
    "- list",
    "1. list",
    "+ x",
    "> quote",
    "    code",
    "\tcode",
    "---",
    "===",
    "- - -",
    "* * *",
    "___",
    "~~~\nfenced",
    "*b* **b** _i_ __b__ ~~s~~ snake_case_name",
    "{{ case.id }} {% raw %}",
    "x" * 100_000,
    "ends with a backslash \\",
]
TEXT = st.one_of(
    st.sampled_from(CORPUS),
    st.text(st.sampled_from("ab1 .:/-+=#*_`~|<>&![]()\\\"'\n\t@"), max_size=40),
    st.text(max_size=60),
    st.lists(st.sampled_from(CORPUS[:-2]), min_size=2, max_size=3).map(" ".join),
)
PLACES = ["{}", "- {}", "## {}", "before {} after", "- {}: {}", "1. {}", "    - {}"]


def shown(text: str) -> str:
    """What a reader is meant to see."""
    safe = defang(text)
    cut = safe if len(safe) <= LONGEST_VALUE else f"{safe[:LONGEST_VALUE]}…"
    return " ".join(cut.split())


def parsed(markdown: str) -> list[Any]:
    """Everything that a parser of CommonMark with the usual extensions makes of it."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = parser.parse(markdown)
    return [*tokens, *(child for token in tokens for child in token.children or ())]


def kinds(markdown: str) -> list[str]:
    return [token.type for token in parsed(markdown)]


@given(text=TEXT, place=st.sampled_from(PLACES))
@example(text="- - -", place="{}")
@example(text="1.", place="{}")
@example(text="![](x)", place="before {} after")
def test_a_value_is_shown_as_it_is_wherever_it_stands(text: str, place: str) -> None:
    written = place.replace("{}", as_markdown(text))
    assert kinds(written) == kinds(place.replace("{}", "x" if shown(text) else ""))
    if shown(text) and place == "before {} after":
        assert " ".join(as_text(written).split()) == f"before {shown(text)} after"


@pytest.mark.parametrize("text", CORPUS)
def test_what_attackers_write_is_shown_as_it_is(text: str) -> None:
    for place in PLACES:
        written = place.replace("{}", as_markdown(text))
        assert kinds(written) == kinds(place.replace("{}", "x" if shown(text) else ""))
    assert " ".join(as_text(f"before {as_markdown(text)} after").split()) == f"before {shown(text)} after"


def test_a_link_can_be_copied_out_of_the_page_as_it_is() -> None:
    clicked = as_markdown("clicked https://a-b.evil.example/x_y, then (c)")
    assert clicked == "clicked hxxps://a-b[.]evil[.]example/x_y, then (c)"


@pytest.mark.parametrize("end", ["(y)", "[y]", ": y", "[.](y)", "[.]: y", "](y)"])
def test_nothing_after_a_defanged_link_makes_one_of_it(end: str) -> None:
    text = f"hxxps://a[.]b{end}"
    assert "<a" not in as_html(f"{as_markdown(text)}\n\n{as_markdown('[.]: y')}")
    assert as_text(as_markdown(text)) == text


@given(text=TEXT)
def test_a_value_as_code_is_shown_as_it_is(text: str) -> None:
    if not as_code(text):
        assert not shown(text)
        return
    (code,) = [token for token in parsed(f"before {as_code(text)} after") if token.type == "code_inline"]
    assert " ".join(code.content.split()) == shown(text)


@given(text=TEXT)
def test_no_html_link_or_picture_reaches_a_mail(text: str) -> None:
    page = as_html(f"- {as_markdown(text)}\n\n{as_code(text)}\n\n{text}")
    assert not re.search(r"<(?!/?(p|ul|ol|li|h[1-6]|code|pre|em|strong|br|hr|blockquote)\b)", page), page
    assert not re.search(r"<[^>]*\s(on\w+|href|src|style)=", page), page


# Files


@pytest.fixture
def templates(tmp_path: Path) -> Callable[..., Templates]:
    """Those of a configuration directory with these files: `templates(limit="…")`."""

    def load(**files: str) -> Templates:
        folder = tmp_path / "templates"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / f"{name}.md.j2").write_text(text)
        return load_templates(tmp_path)

    return load


def facts(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"account": {"upn": "a@contoso.com"}, "case": {"id": "DC-A", "tenant": "lab"}}
    return {**plain, "reason": "3 users", "waiting": ["DC-B"], **changes}


def test_a_file_of_ones_own_wins_over_the_shipped_one_and_leaves_the_rest(templates: Callable[..., Templates]) -> None:
    mine = templates(limit="Stop {{ reason }}\n\nBody of {{ case.id | code }}\n")
    written = mine.write("limit", **facts())
    assert (written.title, written.body, written.trouble) == ("Stop 3 users", "Body of `DC-A`\n", "")
    people = [{"label": "ann", "reason": "unknown", "candidates": ("a", "b")}]
    others = {"about": "x", "case": {"id": "DC-A", "tenant": "lab"}, "people": people}
    assert mine.write("unanswered", **others) == Templates({}).write("unanswered", **others)


@pytest.mark.parametrize("text", CORPUS)
def test_what_stands_in_a_value_is_no_template_and_no_markup(text: str, templates: Callable[..., Templates]) -> None:
    written = templates(limit="{{ reason }}\n\n- {{ reason }}\n").write("limit", **facts(reason=text))
    assert "\n" not in written.title
    assert len(written.title) <= 250
    assert not re.search(r"https?://\w", written.title + written.body)
    assert [kind for kind in kinds(written.body) if kind.endswith("_open")] == [
        "bullet_list_open",
        "list_item_open",
        "paragraph_open",
    ]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("t\n\n{% for x in waiting %}\n{{ x }}\n", 4, "Unexpected end of template"),
        ("t\n\n{{ reason | nonsense }}\n", 3, "No filter named 'nonsense'"),
        ("t\n{{ resaon }}\n", 2, "'resaon' is not known here; known: account, case, reason, waiting"),
        ("t {{ x }}\n", 1, "'x' is not known here"),
        ("t\n\n\n{% include '/etc/passwd' %}\n", 4, "a template cannot take in another one"),
        ("t\n{% import 'x' as x %}\n", 2, "a template cannot take in another one"),
        ("t\n{% extends '../policy.toml' %}\n", 2, "a template cannot take in another one"),
    ],
)
def test_a_mistake_in_a_template_is_named_with_file_and_line(
    text: str, line: int, said: str, templates: Callable[..., Templates], tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        templates(limit=text)
    assert caught.value.message.startswith(f"{tmp_path / 'templates' / 'limit.md.j2'}:{line}: ")
    assert said in caught.value.message


def test_a_template_that_nothing_uses_is_named(templates: Callable[..., Templates]) -> None:
    with pytest.raises(
        UsageError, match=r"tickets\.md\.j2: is not a known template; known: limit\.md\.j2, notice\.md\.j2, ticket"
    ):
        templates(tickets="x\n")


@pytest.mark.parametrize(
    "text",
    [
        "t\n\n{{ account.nonsense }}\n",
        "t\n\n{{ reason + 1 }}\n",
        "t\n\n{{ 1 / 0 }}\n",
        "t\n\n{{ ().__class__.__base__.__subclasses__() }}\n",
        "t\n\n{{ waiting.append('x') }}\n",
        "t\n\n{% for i in range(10 ** 9) %}x{% endfor %}\n",
        "t\n\n{{ '%s' | format(1, 2) }}\n",
        "{{ '' }}\n\nno title\n",
    ],
)
def test_a_template_that_fails_on_a_case_loses_no_ticket(text: str, templates: Callable[..., Templates]) -> None:
    written = templates(limit=text).write("limit", **facts())
    shipped = Templates({}).write("limit", **facts())
    assert written.title == shipped.title
    assert written.body.startswith(shipped.body)
    assert written.trouble.startswith("limit.md.j2")
    assert written.trouble.endswith("; the shipped text stands in")
    assert as_markdown(written.trouble) in written.body


def test_where_a_template_failed_is_said(templates: Callable[..., Templates]) -> None:
    mine = templates(limit="t\n\n\n{{ account.nonsense }}\n")
    assert mine.write("limit", **facts()).trouble.startswith("limit.md.j2:4: ")


def test_every_template_is_shipped_and_the_wheel_takes_them_along() -> None:
    found = {path.name for path in (shipped_config() / "templates").iterdir()}
    assert found == {f"{name}.md.j2" for name in FACTS}


def test_a_mistake_is_an_error_before_anything_is_done(lab: Lab, tmp_path: Path) -> None:
    tenant = lab()
    place = policy(tmp_path)
    (place / "templates").mkdir()
    (place / "templates" / "ticket.md.j2").write_text("t\n{{ nonsense }}\n")
    answer = respond("--user", VICTIM, "--config", str(place))
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "ticket.md.j2:2: 'nonsense' is not known here" in answer.err
    assert tenant.get("/_lab/writes") == []


EVERYTHING = """{{ account.upn }} in {{ case.tenant }}

{{ case.id }} {{ case.mode }} {{ verdict.kind }} {{ verdict.score }} {{ outcome }} {{ account.id }}
{% for leg in legs %}- leg {{ leg.leg }} {{ leg.ip }} {{ leg.client | code }}
{% endfor %}{% for mail in mails %}- mail {{ mail.at }} {{ mail.sender }} {{ mail.subject }} {{ mail.urls | join(" ") }}
{% endfor %}{% for click in clicks %}- click {{ click.url | code }}
{% endfor %}{% for change in footholds %}- foothold {{ change.what }} {{ change.ip }}
{% endfor %}{% for one in sightings %}- seen {{ one.path }}
{% endfor %}{% for one in done %}- done {{ one.name }}
{% endfor %}{{ failed | length }} {{ asked | length }} {{ tasks | length }} {{ left | length }} {{ timeline | length }}
"""


def test_a_ticket_can_say_everything_that_the_case_knows(lab: Lab, tmp_path: Path) -> None:
    lab(write_story(tmp_path))
    place = policy(tmp_path, watch=[])
    (place / "templates").mkdir()
    (place / "templates" / "ticket.md.j2").write_text(EVERYTHING)
    answer = respond("--user", VICTIM, "--json", "--config", str(place))
    assert answer.action("open_ticket")["summary"] == "LAB-1 opened"
    ticket = (tmp_path / "state" / "tickets" / "LAB-1.md").read_text()
    assert all(f"- {word} " in ticket for word in ("leg", "mail", "click", "foothold", "seen", "done")), ticket
    assert f"{answer.json['case']} live malicious" in ticket


def test_a_template_that_fails_in_a_response_is_said_in_the_ticket_and_in_the_change(lab: Lab, tmp_path: Path) -> None:
    lab()
    place = policy(tmp_path, watch=[])
    (place / "templates").mkdir()
    (place / "templates" / "ticket.md.j2").write_text("t\n\n{{ account.nonsense }}\n")
    answer = respond("--user", VICTIM, "--json", "--config", str(place))
    assert answer.code == 0
    assert "ticket.md.j2:3: " in answer.action("open_ticket")["summary"]
    ticket = (tmp_path / "state" / "tickets" / "LAB-1.md").read_text()
    assert "## Why" in ticket
    assert "the shipped text stands in" in ticket
