"""Serve drafts of texts: OpenAI's completions endpoint, and a page to type in.

`POST /v1/completions` answers the official clients (`n` is the number of drafts), and `/` is
a page that shows drafts while one types. Ctrl-C or SIGTERM stops the server; requests under
way get five seconds.

Needs the extra 'serve': pip install 'mmsuper-lab[serve]'.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``serve``."""
    parser.add_argument(
        "model",
        nargs="?",
        default="spd",
        metavar="MODEL",
        help="model or paper (see the verb list) that makes drafts; default: spd",
    )
    parser.add_argument(
        "--weights",
        metavar="FOLDER|ID",
        help="language model, a Hugging Face folder or a name on the hub; default: the model's",
    )
    parser.add_argument(
        "--ngrams", metavar="DIR", help="n-gram index of the same tokenizer (see the verb ngrams)"
    )
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at; default: this machine only"
    )
    parser.add_argument("--port", type=int, default=8000, help="0: a free one; default: 8000")
    parser.add_argument(
        "--k", type=int, metavar="K", help="drafts, where a request has no n; default: the model's"
    )
    parser.add_argument(
        "--max-tokens",
        type=int,
        default=64,
        metavar="N",
        help="new tokens that a request may ask for at most; default: 64",
    )
    parser.add_argument(
        "--max-concurrent",
        type=int,
        default=8,
        metavar="N",
        help="requests that are worked on at once; others get status 429; default: 8",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop."""
    import importlib.util

    from mmsuper.apis.models import find_config, project_module
    from mmsuper.errors import UserError

    for flag in ("k", "max_tokens", "max_concurrent"):
        value = getattr(arguments, flag)
        if value is not None and value < 1:
            raise UserError(f"--{flag.replace('_', '-')} is a number of at least 1")
    if not all(map(importlib.util.find_spec, ("fastapi", "uvicorn"))):
        raise UserError("serve needs an extra: pip install 'mmsuper-lab[serve]'")
    server = project_module(arguments.model, "server")
    load = project_module(arguments.model, "completer").load
    # Before the model is loaded, which takes longer than to be told that the port is taken.
    listener = server.listen(arguments.host, arguments.port)
    completer = load(
        find_config(arguments.model), arguments.weights, arguments.ngrams, arguments.device
    )
    limits = server.Limits(arguments.k or completer.settings.drafts, arguments.max_tokens)
    app = server.create_app(completer, limits, arguments.max_concurrent)
    address = server.address(listener)
    print(f"{completer.name} at {address} (Ctrl-C stops)", flush=True)
    server.serve(app, listener)
    print("stopped")
    return 0
