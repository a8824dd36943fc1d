# ruff: noqa: T201  # what is printed is the matter
import asyncio
import io
import logging
import sys

import numpy as np
import pytest

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.params import Params
from byoc_kit.jupyter.preview.function_version import Version
from byoc_kit.jupyter.preview.printed import Printed, printing_to

BLACK = np.zeros((4, 4, 3), np.uint8)


class Stream(io.TextIOBase):
    """As ipykernel has them: they take attributes."""

    def __init__(self):
        self.got = ""

    def write(self, text):
        self.got += text
        return len(text)


@pytest.fixture
def replace_streams(monkeypatch):
    """Put other streams in the place of stdout and stderr; during the test, before which pytest puts its own there."""

    def replace():
        out, err = Stream(), Stream()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        return out, err

    return replace


def shown(printed):
    status = printed.status()
    return status and (status["head"], status["text"])


def test_nothing_is_printed_for_nothing():
    printed = Printed()
    assert printed.status() is None
    printed.write("")
    assert printed.status() is None


def test_pieces_make_lines():
    printed = Printed()
    for piece in ("one", "\n", "two\nth", "ree"):
        printed.write(piece)
    assert shown(printed) == ("Printed: 3 lines", "one\ntwo\nthree")
    printed.clear()
    assert printed.status() is None


def test_the_last_lines_are_kept_and_long_ones_are_cut():
    printed = Printed()
    for number in range(10_000):
        printed.write(f"{number}\n")
    head, text = shown(printed)
    assert head == "Printed: 10000 lines, the last 50 of them"
    assert text == "\n".join(map(str, range(9950, 10_000)))
    printed.write(f"{1000 * 'x'}\n")
    assert shown(printed)[1].endswith(f"\n{300 * 'x'}…")


def test_what_never_ends_a_line_is_bounded():
    printed = Printed()
    for _ in range(1000):
        printed.write(100 * "x")
    assert len(shown(printed)[1]) <= 301


def test_a_progress_bar_is_one_line():
    printed = Printed()
    for percent in (0, 50, 100):
        printed.write(f"\r{percent} %")
    assert shown(printed) == ("Printed: 1 line", "100 %")
    printed.write("\nready\r\n")
    assert shown(printed)[1] == "100 %\nready"


def test_only_what_the_body_prints_is_kept(replace_streams):
    streams = replace_streams()
    printed = Printed()
    print("before")
    with printing_to(printed):
        print("in")
        sys.stderr.write("to stderr\n")
    print("after")
    assert shown(printed)[1] == "in\nto stderr"
    assert (streams[0].got, streams[1].got) == ("before\nafter\n", "")


def test_a_handler_that_was_there_before_is_kept_too(replace_streams):
    handler = logging.StreamHandler(replace_streams()[1])
    logger = logging.Logger("model")  # noqa: LOG001  # of its own
    logger.addHandler(handler)
    printed = Printed()
    with printing_to(printed):
        logger.warning("slow")
    assert shown(printed)[1] == "slow"


@pytest.mark.parametrize("is_async", [False, True])
def test_each_hook_of_a_version_prints_there(is_async, replace_streams):
    out, _ = replace_streams()

    def load_model():
        print("load")

    def process_frame(frame):
        print("frame")
        return frame

    async def later(frame):
        await asyncio.sleep(0)
        return process_frame(frame)

    version = Version(later if is_async else process_frame)
    object.__setattr__(version.hooks, "load_model", load_model)
    printed = Printed()
    version.print_to(printed)
    version.process(VideoFrame.from_pixels(BLACK), Params())
    assert shown(printed)[1] == "load\nframe"
    version.with_function(process_frame).process(VideoFrame.from_pixels(BLACK), Params())
    assert shown(printed)[1] == "load\nframe\nframe"
    assert out.got == ""
