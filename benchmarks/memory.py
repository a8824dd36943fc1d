"""``python -m benchmarks --memory``: the same again and again; neither memory nor threads may grow."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks import machine
from benchmarks.contenders import OURS_PIXELS
from benchmarks.held import Held
from benchmarks.network import served
from benchmarks.preview_memory import run_again, switch_sources
from benchmarks.record import dump, load_warnings
from benchmarks.run import say, to_its_end
from benchmarks.source import make_source
from benchmarks.table import verdict_lines, warning_lines
from benchmarks.targets import Verdict, at_most
from byoc_kit.errors import ByocKitError
from byoc_kit.system.table import aligned

_SETTLED = 5
_GROWTH = 1.05
_STREAM_S = 0.5
_TELL_EACH = 10


@dataclass(frozen=True)
class Scenario:
    """Something that is done again and again; ``repeat(clip, times)`` yields what is held after each time."""

    title: str
    times: int
    repeat: Callable[[Path, int], AsyncGenerator[Held, None]]


async def stream_again(clip: Path, times: int) -> AsyncGenerator[Held, None]:
    """Send half a second of 720p through one server, stream after stream."""
    pictures = make_source(clip, seconds=_STREAM_S)
    with tempfile.TemporaryDirectory(prefix="byoc-kit-bench-") as name:
        async with served(OURS_PIXELS, Path(name)) as server:
            for _ in range(times):
                await server.stream_at_once(pictures)
                yield Held(server.child.rss_mb(), server.child.threads())


SCENARIOS: Mapping[str, Scenario] = {
    "streams": Scenario("streams of 720p, one after the other in one server", 100, stream_again),
    "previews": Scenario("runs of a preview's cell", 30, run_again),
    "sources": Scenario("switches of a preview's source", 20, switch_sources),
}


def bench_memory(clip: Path, *, only: str | None, times: int | None, output: Path) -> int:
    """Run the scenarios, print what each holds, write ``memory.json`` and a plot each.

    ``only`` names one of ``SCENARIOS``; ``times`` is how often, in place of the scenario's own number. Returns 0,
    or 1 where memory or threads have grown by more than 5 % since the fifth time. Raises ``ByocKitError`` for an
    unknown scenario, and for fewer than 10 times.
    """
    if only is not None and only not in SCENARIOS:
        msg = f"there is no memory scenario {only}; there are {', '.join(SCENARIOS)}"
        raise ByocKitError(msg)
    if times is not None and times < 2 * _SETTLED:
        msg = f"--times must be {2 * _SETTLED} at least: the last five are compared with time 5 to 9"
        raise ByocKitError(msg)
    from benchmarks.plot import plot_memory

    facts = machine.facts()
    chosen = {key: scenario for key, scenario in SCENARIOS.items() if only in (None, key)}
    output.mkdir(parents=True, exist_ok=True)
    held: dict[str, list[Held]] = {}
    verdicts: list[Verdict] = []
    for key, scenario in chosen.items():
        held[key] = to_its_end(_watched(scenario, clip, times or scenario.times))
        verdicts += check_held(key, held[key])
        plot_memory(scenario.title, held[key], output / f"memory-{key}")
        sys.stdout.write("\n".join([f"{scenario.title}:", *_rows(held[key]), "", ""]))
    warnings = load_warnings(facts["load"])
    content = {
        "machine": facts,
        "warnings": warnings,
        "held": {key: [asdict(one) for one in series] for key, series in held.items()},
        "targets": [asdict(verdict) for verdict in verdicts],
    }
    dump(content, output / "memory.json")
    lines = [*verdict_lines(verdicts), *warning_lines(warnings), f"wrote {output}/memory.json and its plots\n"]
    sys.stdout.write("\n".join(lines))
    return int(not all(verdict.is_met for verdict in verdicts))


def check_held(name: str, held: Sequence[Held], *, growth: float = _GROWTH) -> list[Verdict]:
    """Compare the last five times with the five from the fifth on, by their medians; before, caches fill.

    A single time is no measure: it may show what the next one has already begun with, some 10 MB.
    """
    settled, last = held[_SETTLED - 1 : 2 * _SETTLED - 1], held[-_SETTLED:]
    memory = median(one.rss_mb for one in last) / median(one.rss_mb for one in settled)
    threads = median(one.threads for one in last) / median(one.threads for one in settled)
    return [
        at_most(f"{name}: memory of the last five times to that of time 5 to 9", memory, growth),
        at_most(f"{name}: threads of the last five times to those of time 5 to 9", threads, growth),
    ]


async def _watched(scenario: Scenario, clip: Path, times: int) -> list[Held]:
    say(f"{scenario.title}, {times} times")
    held: list[Held] = []
    async with aclosing(scenario.repeat(clip, times)) as repeated:
        async for one in repeated:
            held.append(one)
            if len(held) % _TELL_EACH == 0:
                say(f"{len(held)}: {one.rss_mb:.0f} MB, {one.threads} threads")
    return held


def _rows(held: list[Held]) -> list[str]:
    shown = sorted({1, _SETTLED, *range(_TELL_EACH, len(held) + 1, _TELL_EACH), len(held)})
    rows = [["time", "memory MB", "threads"]]
    rows += [[str(number), f"{held[number - 1].rss_mb:.0f}", str(held[number - 1].threads)] for number in shown]
    return aligned(rows, right=range(3))
