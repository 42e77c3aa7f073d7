"""Drafts in a terminal, in plain lines and as JSON."""

import io
import json

import pytest
from rich.console import Console
from scripted_completer import Scripted

from mmsuper.errors import UserError
from mmsuper.projects.superposed_decoding import live
from mmsuper.projects.superposed_decoding.decoding import Settings

SCRIPT = [["a", "b"], ["a\nc", "bd."]]


def shown(terminal=False, prompts=("One",), **options):
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=60, color_system=None)
    live.show(Scripted(SCRIPT), prompts, Settings(drafts=2), console=console, **options)
    return file.getvalue()


def test_a_terminal_shows_every_step_and_leaves_the_last():
    steps = shown(terminal=True).split("One\n")[1:]
    first, last = (
        [line.rstrip() for line in step.splitlines()[:3]] for step in (steps[0], steps[-1])
    )
    assert first[:2] == ["1 ━━━━     -1.00 a", "2 ━━━━     -2.00 b"]
    assert first[2].startswith("token 1 of 10 · 2.00 of 2 drafts in the mix")
    assert last == [
        "1 ━━━━━━━━ -1.00 a↵c",
        "2 ╴        -2.00 bd. ∎",
        "token 2 of 10 · 1.00 of 2 drafts in the mix",
    ]


def test_elsewhere_the_last_drafts_are_lines():
    drafts = [" 1    -1.00  1.00 a↵c", " 2    -2.00  0.00 bd. ∎"]
    assert shown(prompts=["One", "Two"]).splitlines() == ["One", *drafts, "Two", *drafts]


def test_json_is_an_object_a_line_with_the_texts_as_they_are():
    one, two = map(
        json.loads, shown(terminal=True, prompts=["One", "Two"], as_json=True).split("\n")[:2]
    )
    assert (one["prompt"], two["prompt"]) == ("One", "Two")
    assert one["drafts"] == [
        {"weight": 1.0, "score": -1.0, "text": "a\nc", "finished": False},
        {"weight": 0.0, "score": -2.0, "text": "bd.", "finished": True},
    ]


def test_what_a_terminal_would_obey_is_not_printed():
    assert live.printable("a\x1b[2J\tb\n") == "a\N{REPLACEMENT CHARACTER}[2J⇥b↵"


def test_a_prompt_that_is_too_long_is_refused_before_any_is_completed(capsys):
    with pytest.raises(UserError, match="60 tokens and 10 new ones are more than the 64"):
        shown(prompts=["One", "a" * 60])
    assert capsys.readouterr().out == ""
