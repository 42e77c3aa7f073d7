"""The paper's settings, by prompt length, number of drafts and new tokens.

Mixing weight and temperature were tuned by the authors on validation text for the lowest
mean perplexity of the drafts (three, where not said otherwise).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mmsuper.errors import UserError
from mmsuper.projects.superposed_decoding.decoding import Settings

PRESETS = {
    "p15_d3": Settings(),
    "p15_d2": Settings(drafts=2, kept=6, alpha=0.62),
    "p15_d4": Settings(drafts=4, kept=12, alpha=0.52),
    "p15_d5": Settings(drafts=5, kept=15, alpha=0.60),
    "p15_d6": Settings(drafts=6, kept=18, alpha=0.52),
    "p15_d10": Settings(drafts=10, kept=30, alpha=0.54, temperature=0.12),
    "p5_d3": Settings(kept=15, alpha=0.34, temperature=0.12),
    "p25_d3": Settings(kept=15, alpha=0.50, temperature=0.12),
    "p40_d3": Settings(alpha=0.55, temperature=0.10),  # theirs does not say how many are kept
    "g5": Settings(kept=15, alpha=0.52, max_new_tokens=5),
    "g15": Settings(kept=15, alpha=0.48, max_new_tokens=15),
    "g20": Settings(kept=15, alpha=0.50, temperature=0.04, max_new_tokens=20),
    "p15_d3_ngram4": Settings(alpha=0.55, temperature=0.10, weights=(0.01, 0.04, 0.15)),
    # Question answering: the most probable joins of the shared distribution, as beams are.
    "greedy": Settings(smoothing=None),
}


def preset(name: str) -> Settings:
    """One of the paper's settings.

    Raises:
        UserError: If there is none of that name.
    """
    if name not in PRESETS:
        raise UserError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]


def for_drafts(drafts: int) -> Settings:
    """The paper's settings for a number of drafts, or those for three with as many."""
    return PRESETS.get(f"p15_d{drafts}", Settings(drafts=drafts))


def settings_of(how: Mapping[str, Any]) -> Settings:
    """Settings by the name of the paper's, and what is to differ from them.

    Raises:
        UserError: If there is no such preset or setting.
    """
    changes = {name: value for name, value in how.items() if name != "preset"}
    if "weights" in changes:
        changes["weights"] = tuple(changes["weights"])
    try:
        return replace(preset(how["preset"]), **changes)
    except TypeError as error:
        known = ", ".join(Settings.__dataclass_fields__)
        raise UserError(f"superposed decoding has the settings {known}: {error}") from error
