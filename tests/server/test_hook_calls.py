import threading

import pytest

from byoc_kit.core.hooks import Hooks
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.server.hook_calls import HookCalls


def processor():
    return FrameProcessor(Hooks(lambda frame: frame))


async def test_a_hook_is_at_work_until_it_returns():
    calls, may_return = HookCalls(), threading.Event()
    task = calls.begin("on_stream_start", processor(), may_return.wait)
    [(name, for_s)] = calls.at_work
    assert name == "on_stream_start"
    assert for_s >= 0
    may_return.set()
    await task
    assert calls.at_work == []


async def test_the_hooks_of_one_processor_run_one_after_the_other():
    calls, one, may_return, order = HookCalls(), processor(), threading.Event(), []
    first = calls.begin("first", one, lambda: (may_return.wait(), order.append("first")))
    second = calls.begin("second", one, lambda: order.append("second"))
    other = calls.begin("other", processor(), lambda: order.append("other"))
    await other
    assert [name for name, _ in calls.at_work] == ["first", "second"]
    may_return.set()
    await second
    assert first.done()
    assert order == ["other", "first", "second"]


async def test_a_hook_that_raises_lets_the_next_run():
    calls, one = HookCalls(), processor()
    failing = calls.begin("failing", one, lambda: 1 // 0)
    await calls.begin("next", one, lambda: None)
    with pytest.raises(ZeroDivisionError):
        await failing
    assert calls.at_work == []
