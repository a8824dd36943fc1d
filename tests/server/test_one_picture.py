"""A picture's way through the hooks, without HTTP around it."""

import asyncio
import threading
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydantic import field_validator
from server_rig import until

from byoc_kit.core.hooks import Hooks
from byoc_kit.core.params import Params
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.server.one_picture import HungHookError, OnePicture
from byoc_kit.server.settings import ServerSettings


def png():
    Image.fromarray(np.full((8, 16, 3), 100, np.uint8)).save(file := BytesIO(), "PNG")
    return file.getvalue()


def picture_of(process_frame=lambda frame: frame, *, settings=None, **hooks):
    return OnePicture(FrameProcessor(Hooks(process_frame, **hooks)), settings or ServerSettings())


def process(picture, changes=()):
    return picture.process(png(), dict(changes), lambda own: own)


@pytest.fixture
def released():
    it = threading.Event()
    yield it
    it.set()


async def test_the_format_is_chosen_by_that_of_the_picture():
    asked = []
    written = await picture_of().process(png(), {}, lambda own: asked.append(own) or "WEBP")
    assert (asked, written.format, written.data[8:12]) == (["PNG"], "WEBP", b"WEBP")


@pytest.mark.parametrize("hook", ["on_stream_start", "process_frame", "on_stream_stop"])
async def test_the_hook_that_hangs_is_named_until_it_returns(released, hook):
    hooks = {hook: lambda *_: released.wait()}
    picture = picture_of(settings=ServerSettings(stall_timeout_s=0.1, first_frame_timeout_s=0.1), **hooks)
    if hook == "on_stream_stop":
        assert (await process(picture)).format == "PNG"  # it is done by then
    else:
        with pytest.raises(HungHookError, match=f"^{hook} has not returned in time$"):
            await process(picture)
    assert picture.is_hung
    assert picture.problem().startswith(f"{hook} has not returned for ")
    released.set()
    await until(lambda: not picture.is_hung, "it returns")
    assert picture.problem() is None


async def test_a_hook_that_takes_no_longer_than_it_may_is_no_problem(released):
    picture = picture_of(lambda frame: released.wait() and frame)
    processing = asyncio.create_task(process(picture))
    await until(lambda: picture.is_hung, "process_frame runs")
    assert picture.problem() is None
    released.set()
    assert (await processing).format == "PNG"


async def test_a_stop_waits_no_longer_than_for_a_stream(released, monkeypatch, caplog):
    entered = threading.Event()

    class Waiting(Params):
        gain: int = 1

        @field_validator("gain")
        @classmethod
        def _wait(cls, value):
            if value == 2:
                entered.set()
                released.wait()
            return value

    monkeypatch.setattr("byoc_kit.server.one_picture.STREAM_END_S", 0.1)
    picture = picture_of(params_type=Waiting)
    processing = asyncio.create_task(process(picture, {"gain": 2}))
    await until(entered.is_set, "the validator runs")
    await picture.stop()
    assert "a picture was not processed when the server stopped, and is lost" in caplog.text
    released.set()
    await processing
    caplog.clear()
    await picture.stop()
    assert not caplog.text
