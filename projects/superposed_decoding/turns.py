"""Long computations for many clients, a step of each in turn, in one thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Full(Exception):
    """As many computations are under way as may be."""


class Turns:
    """Does a step of each computation in turn.

    A step takes the whole processor anyway, so one thread is as fast as several, and none
    waits longer than one step of each other.

    Args:
        most: How many computations may be under way at once.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.running: set[Computation] = set()
        # Never more tasks in its queue than computations are running.
        self._thread = ThreadPoolExecutor(1, "turns")

    def start(self, steps: Iterator[Any]) -> Computation:
        """Start a computation, in the event loop's thread.

        Raises:
            Full: If as many are under way as may be.
        """
        if len(self.running) >= self.most:
            raise Full
        computation = Computation(steps, self)
        self.running.add(computation)
        self._thread.submit(self._advance, computation)
        return computation

    def close(self) -> None:
        """Stop all computations; returns when the step that is being done is done."""
        for computation in list(self.running):
            computation.cancel()
        self._thread.shutdown()

    def _advance(self, computation: Computation) -> None:
        """Do one step, and line up for the next behind the other computations."""
        try:
            if not computation.cancelled:
                computation.tell(next(computation.steps))
        except Exception as end:
            computation.finish(end)
            return
        if computation.cancelled:
            computation.steps.close()
            computation.finish(StopIteration())
        else:
            self._thread.submit(self._advance, computation)


class Computation:
    """One computation; its results wait here until they are fetched.

    Iterate over it for the results of its steps. It is done and makes room for another when
    its last step is, whether or not anyone has fetched the results.
    """

    def __init__(self, steps: Iterator[Any], turns: Turns) -> None:
        self.steps = steps
        self.cancelled = False
        self._turns = turns
        self._loop = asyncio.get_running_loop()
        self._results: asyncio.Queue[Any] = asyncio.Queue()

    def cancel(self) -> None:
        """Do no further step."""
        self.cancelled = True

    async def __aiter__(self) -> AsyncIterator[Any]:
        """The results, in order.

        Raises:
            Exception: What a step raised.
        """
        while not isinstance(result := await self._results.get(), Exception):
            yield result
        if not isinstance(result, StopIteration):
            raise result

    def tell(self, result: Any) -> None:
        """Hand a result over to the event loop's thread."""
        self._loop.call_soon_threadsafe(self._results.put_nowait, result)

    def finish(self, end: Exception) -> None:
        """Hand over how it ended, and make room."""
        self._loop.call_soon_threadsafe(self._turns.running.discard, self)
        self.tell(end)
