"""Computations that take turns: order, limits, ends."""

import asyncio
import threading

import pytest

from mmsuper.projects.superposed_decoding.turns import Full, Turns


def using(most, play):
    """Run ``play(turns)`` in an event loop."""

    async def whole():
        turns = Turns(most)
        try:
            return await asyncio.wait_for(play(turns), 10)
        finally:
            turns.close()

    return asyncio.run(whole())


async def all_of(computation):
    return [result async for result in computation]


def test_steps_are_done_in_turn_whether_results_are_fetched_or_not():
    done, begin = [], threading.Event()

    def steps(name, count):
        begin.wait()
        for i in range(count):
            done.append(name)
            yield i

    async def play(turns):
        unread, short = turns.start(steps("unread", 50)), turns.start(steps("short", 3))
        begin.set()
        found = await all_of(short)
        return found, await all_of(unread)

    short, unread = using(2, play)
    assert short == [0, 1, 2] and unread == list(range(50))
    assert done[:6] == ["unread", "short"] * 3


def test_no_more_than_agreed_run_at_once_and_a_place_is_free_when_one_is_done():
    go_on = threading.Event()

    def steps():
        go_on.wait()
        yield

    async def play(turns):
        first = turns.start(steps())
        with pytest.raises(Full):
            turns.start(steps())
        go_on.set()
        await all_of(first)
        await all_of(turns.start(steps()))

    using(1, play)


def test_a_cancelled_computation_is_closed_at_its_next_step():
    closed = threading.Event()

    def steps():
        try:
            while True:
                yield
        finally:
            closed.set()

    async def play(turns):
        computation = turns.start(steps())
        await anext(aiter(computation))
        computation.cancel()
        await all_of(computation)
        return turns.running

    assert using(1, play) == set()
    assert closed.is_set()


def test_an_error_ends_its_computation_alone():
    def failing():
        yield 1
        raise RuntimeError("broken")

    async def play(turns):
        bad, good = turns.start(failing()), turns.start(iter(range(3)))
        with pytest.raises(RuntimeError, match="broken"):
            await all_of(bad)
        return await all_of(good)

    assert using(2, play) == [0, 1, 2]
