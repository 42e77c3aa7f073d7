"""``infer`` for language models that make drafts."""

from __future__ import annotations

import argparse


def run(arguments: argparse.Namespace) -> int:
    """Complete the texts; returns the exit code."""
    from dataclasses import replace

    from mmsuper.apis.models import find_config, project_module

    completer = project_module(arguments.model, "completer").load(
        find_config(arguments.model), arguments.weights, arguments.ngrams, arguments.device
    )
    if arguments.preset is None:
        settings = completer.settings_for(arguments.k)
    else:
        settings = project_module(arguments.model, "presets").preset(arguments.preset)
    asked = {"drafts": arguments.k, "max_new_tokens": arguments.max_new_tokens}
    given = {name: value for name, value in asked.items() if value is not None}
    live = project_module(arguments.model, "live")
    live.show(completer, arguments.inputs, replace(settings, **given), arguments.json)
    return 0
