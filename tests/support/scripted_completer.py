"""A completer that follows a script, for what is done with drafts."""

import time
from dataclasses import dataclass, field
from types import SimpleNamespace

import torch

from mmsuper.projects.superposed_decoding.decoding import Draft, Settings
from mmsuper.projects.superposed_decoding.generate import Drafts


class Letters:
    """A tokenizer whose tokens are ASCII letters."""

    def __len__(self):
        return 128

    def __call__(self, text):
        return SimpleNamespace(input_ids=[ord(letter) for letter in text])

    def decode(self, ids, skip_special_tokens):
        return "".join(map(chr, ids))


@dataclass
class Scripted:
    """Makes the drafts that it is told to make, whatever is asked for.

    ``script`` has the texts after each step, best first, "." ending a draft; ``settled`` how
    many letters they have in common for good. A text of a script that is an error is raised.
    """

    script: list
    settled: list = field(default_factory=list)
    name = "scripted"
    context = 64
    ngrams = None
    tokenizer = Letters()
    pause = 0.0
    ended = None

    def settings_for(self, drafts):
        return Settings(drafts=drafts)

    def stream(self, prompts, settings):
        read = [self.tokenizer(p).input_ids if isinstance(p, str) else p for p in prompts]
        weights = ()
        try:
            for number, texts in enumerate(self.script):
                time.sleep(self.pause)
                if isinstance(texts, Exception):
                    raise texts
                drafts = tuple(
                    Draft(tuple(map(ord, text)), -1.0 - rank, text.endswith("."))
                    for rank, text in enumerate(texts)
                )
                going_on = sum(not draft.finished for draft in drafts)
                weights += (torch.ones(going_on) / going_on,)
                settled = drafts[0].ids[: self.settled[number]] if self.settled else ()
                yield [
                    Drafts(tuple(prompt), drafts, weights, settled, self.tokenizer)
                    for prompt in read
                ]
        finally:
            if self.ended is not None:
                self.ended.set()
