"""Check this installation, and say what to do about each fault.

Versions that differ from the tested set are warnings; exit code 1 means that something is
broken.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``doctor``."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(arguments: argparse.Namespace) -> int:
    """Run ``doctor``; exit code 1 if something is broken."""
    import contextlib
    import dataclasses
    import json
    import sys
    import warnings

    from mmsuper import doctor

    warnings.simplefilter("ignore")
    # Some libraries print while they are imported; standard output is for the findings.
    with contextlib.redirect_stdout(sys.stderr):
        findings = doctor.examine()
    broken = sum(finding.status == doctor.BROKEN for finding in findings)
    if arguments.json:
        print(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        _print_table(findings)
        warned = sum(finding.status == doctor.WARNING for finding in findings)
        print(f"{broken} broken, {warned} warnings, {len(findings) - broken - warned} ok")
    return 1 if broken else 0


def _print_table(findings: list) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colours = {"ok": "green", "warning": "yellow", "broken": "red"}
    table = Table("check", "", "found", "what to do")
    for finding in findings:
        status = Text(finding.status, colours[finding.status])
        table.add_row(finding.check, status, Text(finding.found), Text(finding.advice))
    Console().print(table)
