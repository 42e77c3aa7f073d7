"""Shims for foreign packages.

One module per package, each with the reason, the versions it was tried with, and a test
under ``tests/unit/compat``. A shim is applied by calling its ``apply`` before the package
is imported, and does nothing the second time.
"""
