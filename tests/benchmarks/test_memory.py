from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.held import Held
from benchmarks.memory import SCENARIOS, bench_memory, check_held
from byoc_kit.errors import ByocKitError

pytestmark = pytest.mark.slow

CLIP = Path(__file__).parents[2] / "notebooks/clips/bigbuckbunny.mp4"
TIMES = 20


async def test_streams_of_720p_leave_memory_and_threads_where_they_were():
    held = [one async for one in SCENARIOS["streams"].repeat(CLIP, TIMES)]
    assert len(held) == TIMES
    # Fifteen streams that each left their encoder would have doubled it.
    assert [verdict for verdict in check_held("streams", held, growth=1.1) if not verdict.is_met] == []


@pytest.mark.parametrize(
    ("last", "are_met"),
    [(Held(105, 20), [True, True]), (Held(106, 20), [False, True]), (Held(100, 22), [True, False])],
)
def test_the_last_five_times_are_compared_with_those_from_the_fifth_on(last, are_met):
    held = [Held(1, 1)] * 4 + [Held(100, 20)] * 5 + [Held(200, 200)] + [last] * 4 + [Held(300, 300)]
    assert [verdict.is_met for verdict in check_held("streams", held)] == are_met


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": "dreams", "times": None}, "there is no memory scenario dreams; there are streams"),
        ({"only": None, "times": 9}, "--times must be 10 at least"),
    ],
)
def test_what_cannot_be_measured_is_reported(options, message, tmp_path):
    with pytest.raises(ByocKitError, match=message):
        bench_memory(CLIP, output=tmp_path, **options)


def test_the_command_writes_figures_and_a_plot(tmp_path, monkeypatch, capsys):
    async def repeat(clip, times):
        for _ in range(times):
            yield Held(100, 3)

    fake = {"streams": type(SCENARIOS["streams"])("streams of nothing", 10, repeat)}
    monkeypatch.setattr("benchmarks.memory.SCENARIOS", fake)
    assert main(["--memory", "streams", "--output", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"memory.json", "memory-streams.png", "memory-streams.svg"}
    assert "met  streams: memory of the last five times to that of time 5 to 9" in capsys.readouterr().out
