import asyncio
import threading

import pytest
import torch

from byoc_kit.core.processor import run_to_end
from byoc_kit.errors import ByocKitError


async def where():
    return asyncio.get_running_loop(), threading.current_thread().name


def test_all_hooks_run_on_one_loop_and_its_thread():
    assert run_to_end(where()) == run_to_end(where())
    assert run_to_end(where())[1] == "async hooks"


def test_a_task_that_a_hook_leaves_behind_goes_on():
    async def begin():
        event = asyncio.Event()
        return event, asyncio.create_task(event.wait())

    async def finish(event, task):
        event.set()
        return await task

    assert run_to_end(finish(*run_to_end(begin()))) is True


def test_hooks_run_without_gradients():
    async def is_inference():
        await asyncio.sleep(0)
        return torch.is_inference_mode_enabled()

    assert run_to_end(is_inference())
    assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_a_hook_cannot_end_the_loop(error):
    async def hook():
        raise error

    with pytest.raises(ByocKitError, match=type(error).__name__):
        run_to_end(hook())
    assert run_to_end(where())[1] == "async hooks"
