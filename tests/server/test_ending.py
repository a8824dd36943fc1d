"""The end of the container, part by part: an orchestrator that exits waits for all of it."""

import gc
from pathlib import Path

from byoc_kit.core.bundle_reader import read_bundle
from byoc_kit.server.ending import (
    DRAIN_S,
    GRACE_S,
    LAST_EVENT_S,
    LEFT_BY_S,
    LET_GO_S,
    RELEASE_S,
    SHUTDOWN_S,
    STREAM_END_S,
)
from byoc_kit.server.serve import serve
from byoc_kit.trickle.connection import TAIL_S

BUNDLE = Path(__file__).parents[2] / "export/green_tint"
EXIT_S = 0.4  # what Python takes to exit with torch loaded: 0.16 s of CPU


def test_all_parts_together_fit_into_what_an_orchestrator_waits():
    assert STREAM_END_S + LAST_EVENT_S + RELEASE_S < LEFT_BY_S
    assert LEFT_BY_S + 2 * SHUTDOWN_S + EXIT_S < GRACE_S


def test_the_parts_of_a_streams_end_fit_into_it():
    assert DRAIN_S + LET_GO_S < STREAM_END_S
    assert DRAIN_S + TAIL_S < STREAM_END_S


def test_python_exits_without_a_visit_to_each_of_its_objects(monkeypatch):
    """With torch loaded that takes most of a second of CPU."""

    async def end_at_once(_, __, listening, *___):
        listening.close()

    monkeypatch.setattr("byoc_kit.server.serve._serve", end_at_once)
    try:
        assert serve(read_bundle(BUNDLE), host="127.0.0.1", port=0) == 0
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()
