"""``python -m benchmarks``: byoc-kit beside stock pytrickle and plain ffmpeg, in one run on this machine."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from benchmarks import machine
from benchmarks.contenders import STOCK_BLOCKING, Contender, LoopBack, Reencoder, Server, choose
from benchmarks.ffmpeg import through_ffmpeg
from benchmarks.measure import Seen
from benchmarks.network import through_nothing, through_server
from benchmarks.record import Record, Run, write_json
from benchmarks.source import HEIGHT, RATE, WIDTH, SourcePicture, make_source
from benchmarks.table import table
from byoc_kit.errors import ByocKitError

T = TypeVar("T")

# 20 of the 30 frames a second pile up, 11 MB each as a float tensor, and some of them twice.
_STOCK_GB_PER_S = 0.3


@dataclass(frozen=True)
class Request:
    """What to measure: how often, how long, with which clip; ``only`` these contenders, all where it is empty."""

    runs: int
    seconds: float
    clip: Path
    output: Path
    only: Sequence[str] = ()


def bench(request: Request) -> int:
    """Measure, print the table, write ``bench.json`` and the plot; returns 0, or 1 where a target is missed.

    Raises ``ByocKitError`` where a contender cannot be measured at all.
    """
    chosen = choose(request.only)
    if request.runs < 1 or request.seconds < 1:
        msg = "--runs and --seconds must be 1 at least"
        raise ByocKitError(msg)
    _require_memory(chosen, request.seconds)
    facts = machine.facts()
    sources = {
        with_audio: make_source(request.clip, seconds=request.seconds, with_audio=with_audio)
        for with_audio in sorted({_has_audio(contender) for contender in chosen})
    }
    runs = to_its_end(_rounds(request, chosen, sources))
    record = Record(_settings(request, next(iter(sources.values()))), facts, runs)
    request.output.mkdir(parents=True, exist_ok=True)
    write_json(record, request.output / "bench.json")
    from benchmarks.plot import plot_bench

    plot_bench(record, request.output / "bench")
    sys.stdout.write(f"{table(record)}\nwrote {request.output}/bench.json, bench.png and bench.svg\n")
    return int(any(verdict.is_met is False for verdict in record.verdicts))


def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine; SIGTERM and SIGHUP end it as Ctrl-C does, with all its processes."""

    async def run() -> T:
        task = asyncio.ensure_future(work)
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await task

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def measure(contender: Contender, pictures: Sequence[SourcePicture]) -> Seen:
    """Run one contender once."""
    with tempfile.TemporaryDirectory(prefix="byoc-kit-bench-") as name:
        folder = Path(name)
        match contender:
            case LoopBack():
                return await through_nothing(pictures, folder)
            case Server():
                return await through_server(contender, pictures, folder)
            case Reencoder():
                file = folder / "source.ts"
                file.write_bytes(b"".join(picture.data for picture in pictures))
                return await through_ffmpeg(contender, file, len(pictures), folder)


def say(text: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(f"{text}\n")


def _has_audio(contender: Contender) -> bool:
    return isinstance(contender, Server) and contender.with_audio


async def _rounds(
    request: Request, chosen: Sequence[Contender], sources: Mapping[bool, Sequence[SourcePicture]]
) -> list[Run]:
    """Run all contenders, round after round, so that what drifts on the machine hits all alike."""
    runs = []
    for number in range(1, request.runs + 1):
        for contender in chosen:
            say(f"round {number} of {request.runs}: {contender.title}")
            load = machine.load()
            seen = await measure(contender, sources[_has_audio(contender)])
            settled_s = contender.settled_s if isinstance(contender, Server) else 0.0
            runs.append(Run.of(seen, contender=contender.key, round=number, load=load, settled_s=settled_s))
    return runs


def _require_memory(chosen: Sequence[Contender], seconds: float) -> None:
    """Refuse to let stock pytrickle's queue, which has no bound, fill a small machine."""
    needed_gb, free_gb = _STOCK_GB_PER_S * seconds, machine.free_memory_gb()
    if STOCK_BLOCKING in chosen and needed_gb > free_gb:
        msg = (
            f"{STOCK_BLOCKING.key} takes {needed_gb:.1f} GB of memory in {seconds:g} s, and {free_gb:.1f} GB are free; "
            f"name the others with --only"
        )
        raise ByocKitError(msg)


def _settings(request: Request, pictures: Sequence[SourcePicture]) -> dict[str, Any]:
    size = sum(len(picture.data) for picture in pictures)
    return {
        "clip": request.clip.name,
        "size": f"{WIDTH}x{HEIGHT}",
        "rate": RATE,
        "seconds": request.seconds,
        "runs": request.runs,
        "source_mbit_s": 8e-6 * size * RATE / len(pictures),
    }
