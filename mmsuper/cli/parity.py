"""Compare with the authors' recorded outputs.

Runs every case in and below the folders and prints, for each recorded output, the worst
absolute error against the tolerance. Exit code 1 if any output is outside.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("folders", nargs="+", metavar="DIR", help="folder of cases, or one case")


def run(arguments: argparse.Namespace) -> int:
    """Run the cases; see the module's text."""
    from mmsuper import parity

    cases = parity.find_cases(arguments.folders)
    failures = 0
    for case in cases:
        results = list(parity.run(case))
        passed = all(result.passed for result in results)
        failures += not passed
        errors = "  ".join(f"{r.output} {r.error:.1e}/{r.tolerance:.0e}" for r in results)
        print(
            f"{'ok  ' if passed else 'FAIL'} {case.paper}/{case.folder.name}  {errors}", flush=True
        )
    print(f"{len(cases) - failures} of {len(cases)} cases within tolerance")
    return 1 if failures else 0
