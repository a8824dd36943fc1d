"""The end of the container, part by part: an orchestrator that exits waits for all of it."""

from byoc_kit.server.ending import DRAIN_S, GRACE_S, LAST_EVENT_S, LET_GO_S, RELEASE_S, SHUTDOWN_S, STREAM_END_S
from byoc_kit.trickle.connection import TAIL_S

EXIT_S = 0.5  # what Python takes to exit with torch loaded


def test_all_parts_together_fit_into_what_an_orchestrator_waits():
    assert STREAM_END_S + LAST_EVENT_S + RELEASE_S + 2 * SHUTDOWN_S + EXIT_S < GRACE_S


def test_the_parts_of_a_streams_end_fit_into_it():
    assert DRAIN_S + LET_GO_S < STREAM_END_S
    assert DRAIN_S + TAIL_S < STREAM_END_S
