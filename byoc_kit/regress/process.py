"""A processor over a whole clip, without a network or a codec between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byoc_kit.frames import Pixels
from byoc_kit.media.decode import MediaError, read_clip
from byoc_kit.params import Params
from byoc_kit.processor import FrameProcessor
from byoc_kit.regress.golden import RegressionError
from byoc_kit.sourcemap import locate


@dataclass(frozen=True)
class Picture:
    """What came of a frame: its number in the clip, from 0, and its pixels; ``None`` where it was dropped."""

    number: int
    pixels: Pixels | None


def process_clip(
    processor: FrameProcessor, clip: Path | str, *, params: Mapping[str, Any], width: int, every: int
) -> list[Picture]:
    """Run a processor over every frame of a clip, scaled to ``width``, and keep every ``every``-th result.

    Raises :class:`RegressionError`, naming cell and line, where a hook raises, and
    :class:`~byoc_kit.params.ParamsError` for a parameter that does not fit.
    """
    checked = processor.hooks.params_type().updated(params)
    # On a thread: async hooks need a loop of their own, and a notebook's thread runs one.
    with ThreadPoolExecutor(1, thread_name_prefix="process_frame") as thread:
        return thread.submit(_process, processor, clip, checked, width, every).result()


def _process(processor: FrameProcessor, clip: Path | str, params: Params, width: int, every: int) -> list[Picture]:
    pictures = []
    with _located(processor):
        asyncio.run(processor.load_model())
        processor.start_stream(params)
        for number, frame in enumerate(read_clip(clip, width=width)):
            result = processor.process(frame, params)  # each one: a hook may remember the last
            if number % every == 0:
                pictures.append(Picture(number, None if result is None else result.pixels))
        processor.stop_stream()
    return pictures


@contextmanager
def _located(processor: FrameProcessor) -> Iterator[None]:
    """Turn what a hook raises into one line with its cell."""
    try:
        yield
    except MediaError:
        raise
    except Exception as error:
        where = locate(error.__traceback__, processor.hooks.user_file, processor.source_map)
        text = " ".join(str(error).split())
        msg = f"{where}: {type(error).__name__}: {text}; run the notebook from the top to see it"
        raise RegressionError(msg) from error
