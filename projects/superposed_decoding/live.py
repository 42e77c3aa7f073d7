"""Drafts in a terminal, while they grow: ``python -m mmsuper infer spd "text"``."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mmsuper.errors import UserError
from mmsuper.projects.superposed_decoding.completer import Completer, shares
from mmsuper.projects.superposed_decoding.decoding import Settings
from mmsuper.projects.superposed_decoding.generate import Drafts

BAR = 8  # letters of a whole share
FINISHED = " ∎"


def show(
    completer: Completer,
    prompts: Sequence[str],
    settings: Settings,
    as_json: bool = False,
    console: Console | None = None,
) -> None:
    """Complete texts before the user's eyes.

    In a terminal drafts are drawn as they grow. Elsewhere the last ones are printed, each in
    a line: rank, score, share, text.

    Args:
        completer: The model.
        prompts: Texts to complete, one after the other.
        settings: How to decode.
        as_json: Print an object a line for each prompt instead.
        console: Where to; standard output if None.

    Raises:
        UserError: If a prompt is empty or longer than the model can read.
    """
    console = console or Console(highlight=False)
    for prompt in prompts:
        _check(completer, prompt, settings)
    for prompt in prompts:
        if console.is_terminal and not as_json:
            with Live(console=console, auto_refresh=False) as live:
                for [drafts] in completer.stream([prompt], settings):
                    live.update(drawn(prompt, drafts, settings), refresh=True)
            continue
        *_, [drafts] = completer.stream([prompt], settings)
        if as_json:
            console.out(json.dumps(told(completer, prompt, drafts), ensure_ascii=False))
        else:
            console.out("\n".join(lines(prompt, drafts)))


def _check(completer: Completer, prompt: str, settings: Settings) -> None:
    tokens, new = len(completer.tokenizer(prompt).input_ids), settings.max_new_tokens
    if completer.context is not None and tokens + new > completer.context:
        raise UserError(
            f"a prompt of {tokens} tokens and {new} new ones are more than the "
            f"{completer.context} that {completer.name} reads"
        )


def drawn(prompt: str, drafts: Drafts, settings: Settings) -> Group:
    """The drafts as they stand, for a terminal."""
    table = Table.grid(padding=(0, 1))
    for justify in ("right", "left", "right", "left"):
        table.add_column(justify=justify, no_wrap=justify != "left")
    for rank, (share, score, text, finished) in enumerate(_rows(drafts), 1):
        grown = Text(printable(text), "bold" if rank == 1 else "")
        grown.append(FINISHED if finished else "", "green")
        bar = Text("━" * round(BAR * share) or "╴", "cyan").append(" " * BAR)
        bar.truncate(BAR)
        table.add_row(Text(str(rank), "dim"), bar, Text(f"{score:.2f}", "dim"), grown)
    done = len(drafts.weights)
    foot = f"token {done} of {settings.max_new_tokens} · "
    foot += f"{drafts.effective[-1]:.2f} of {len(drafts.drafts)} drafts in the mix"
    return Group(Text(printable(prompt)), table, Text(foot, "dim"))


def lines(prompt: str, drafts: Drafts) -> list[str]:
    """The drafts in plain lines."""
    rows = enumerate(_rows(drafts), 1)
    return [
        printable(prompt),
        *(
            f"{rank:2} {score:8.2f} {share:5.2f} {printable(text)}{FINISHED if finished else ''}"
            for rank, (share, score, text, finished) in rows
        ),
    ]


def told(completer: Completer, prompt: str, drafts: Drafts) -> dict[str, object]:
    """The drafts for other programs."""
    keys = ("weight", "score", "text", "finished")
    found = [dict(zip(keys, row, strict=True)) for row in _rows(drafts)]
    effective = list(drafts.effective)
    return {"model": completer.name, "prompt": prompt, "drafts": found, "effective": effective}


def printable(text: str) -> str:
    """A text in one line, with nothing that a terminal would obey."""
    named = {"\n": "↵", "\t": "⇥"}
    return "".join(
        named.get(c, c if c.isprintable() else "\N{REPLACEMENT CHARACTER}") for c in text
    )


def _rows(drafts: Drafts) -> list[tuple[float, float, str, bool]]:
    return list(zip(shares(drafts), drafts.scores, drafts.texts, drafts.finished, strict=True))
