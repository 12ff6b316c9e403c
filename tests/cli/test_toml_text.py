"""Setting single values of a TOML file that somebody has written."""

from __future__ import annotations

import tomllib

import pytest

from respond.cli.toml_text import with_values
from respond.errors import UsageError


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('[a]\n# why\nkind = ""\n[a.b]\nkind = ""\n', '[a]\n# why\nkind = ""\n[a.b]\nkind = "it\\"s"\n'),
        ("[a.b] # here\nkind = 'x # y'   # why\n", '[a.b] # here\nkind = "it\\"s"   # why\n'),
        ("[a.b]\nother = 1\n", '[a.b]\nkind = "it\\"s"\nother = 1\n'),
        ("[ a . 'b' ]\n  kind=''\n", '[ a . \'b\' ]\n  kind="it\\"s"\n'),
        ("# mine", '# mine\n\n[a.b]\nkind = "it\\"s"\n'),
        ("[[c]]\nx = 1\n[a]\ny = 2\n", '[[c]]\nx = 1\n[a]\ny = 2\n\n[a.b]\nkind = "it\\"s"\n'),
    ],
)
def test_a_value_is_put_into_its_own_section_and_the_rest_stays(before: str, after: str) -> None:
    assert with_values(before, {("a.b", "kind"): 'it"s'}) == after


@pytest.mark.parametrize(
    "text",
    [
        'a.b.kind = "x"\n',
        '[a]\nb = {kind = "x"}\n',
        '[a]\nb.kind = "x"\n',
        "[a]\nb = 3\n",
        '[a.b]\nkind = """x\n[c]\n"""\n',
        '[x]\ntext = """\n[a.b]\nkind = 1\n"""\n[a.b]\nkind = "y"\n',
    ],
)
def test_a_form_that_cannot_be_edited_is_named_and_nothing_is_guessed(text: str) -> None:
    with pytest.raises(UsageError, match=r"\[a\.b\].*write kind there by hand"):
        with_values(text, {("a.b", "kind"): "z"})
    tomllib.loads(text)
