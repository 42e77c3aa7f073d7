"""Fixtures for tests of all parts."""

import signal

import pytest


@pytest.fixture
def ctrl_c():
    """Ctrl-C interrupts, also where a shell started the tests in the background and ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
