import asyncio
import gc
import logging
import threading
import time
import weakref
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.params import Params
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.publish import publish
from byoc_kit.core.source_map import CellSpan, SourceMap
from byoc_kit.core.stage import MAX_KINDS, MAX_WAITING, OnError, Stage
from byoc_kit.errors import LONGEST_TEXT

DEADLINE_S = 10


class Level(Params):
    level: int = 0


class Gate:
    """A process_frame that says when it is entered and waits until it is opened."""

    def __init__(self):
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()

    def __call__(self, frame):
        self.entered.release()
        assert self.opened.wait(DEADLINE_S)
        return frame

    def await_entry(self):
        assert self.entered.acquire(timeout=DEADLINE_S)


class Outcomes:
    """A sink that keeps what it is given."""

    def __init__(self):
        self.all = []
        self._arrived = threading.Condition()

    def __call__(self, processed):
        with self._arrived:
            self.all.append(processed)
            self._arrived.notify_all()

    def await_count(self, count):
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.all) >= count, DEADLINE_S)

    @property
    def pts(self):
        return [processed.source.pts for processed in self.all]


def frame(pts=0):
    return VideoFrame.from_pixels(np.zeros((2, 2, 3), np.uint8), pts=pts, time_base=Fraction(1, 30))


def stage_of(process_frame, sink, **options):
    return Stage(FrameProcessor(Hooks.of(process_frame)), sink, **options)


def is_balanced(stage):
    stats = stage.stats()
    return stats.frames_in == stats.frames_out + sum(stats.drops.values())


@pytest.fixture
def outcomes():
    return Outcomes()


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.opened.set()


@pytest.fixture(autouse=True)
def _no_thread_stays():
    before = set(threading.enumerate())
    yield
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(DEADLINE_S)
    assert not [thread for thread in left if thread.is_alive()]


# What waits, and what is dropped


def test_a_burst_that_the_queue_holds_loses_nothing(gate, outcomes):
    with stage_of(gate, outcomes, max_wait_s=DEADLINE_S) as stage:
        stage.submit(frame(0))
        gate.await_entry()
        for pts in range(1, MAX_WAITING + 1):
            stage.submit(frame(pts))
        gate.opened.set()
        outcomes.await_count(MAX_WAITING + 1)
    assert outcomes.pts == list(range(MAX_WAITING + 1))
    assert stage.stats().drops == {}
    assert is_balanced(stage)


def test_a_blocked_processor_keeps_a_bounded_queue_of_the_newest(gate, outcomes):
    with stage_of(gate, outcomes) as stage:
        stage.submit(frame(0))
        gate.await_entry()
        kept = []
        for pts in range(1, 201):
            offered = frame(pts)
            kept.append(weakref.ref(offered))
            stage.submit(offered)
        del offered
        assert [ref().pts for ref in kept if ref()] == list(range(201 - MAX_WAITING, 201))
        assert stage.stats().drops == {"late": 200 - MAX_WAITING}
        stage.close(timeout_s=0)
        gate.opened.set()
    assert outcomes.pts == [0, *range(201 - MAX_WAITING, 201)]
    assert is_balanced(stage)


def test_a_stage_that_is_behind_takes_the_newest_frame_and_drops_the_rest(gate, outcomes):
    with stage_of(gate, outcomes, max_wait_s=0, burst_s=0) as stage:
        stage.submit(frame(0))
        gate.await_entry()
        for pts in range(1, 6):
            stage.submit(frame(pts))
        gate.opened.set()
        outcomes.await_count(2)
    assert outcomes.pts == [0, 5]
    assert stage.stats().drops == {"late": 4}
    assert is_balanced(stage)


def test_a_worker_that_just_had_a_pause_may_catch_up_with_a_burst(gate, outcomes):
    with stage_of(gate, outcomes, max_wait_s=0, burst_s=DEADLINE_S) as stage:
        for pts in range(6):
            stage.submit(frame(pts))
        gate.opened.set()
        outcomes.await_count(6)
    assert stage.stats().drops == {}


@pytest.mark.parametrize(("fps", "processed"), [(5, range(40)), (1000, [0, 1, 2, 39])])
def test_a_process_frame_that_cannot_catch_up_gets_the_newest_frame_from_the_start(outcomes, fps, processed):
    """Each frame takes 20 ms: where they are 200 ms apart it catches up, where they are 1 ms apart it never will."""

    def slow(frame):
        time.sleep(0.02)
        return frame

    def at(number):
        return VideoFrame.from_pixels(np.zeros((2, 2, 3), np.uint8), number, Fraction(1, fps))

    with stage_of(slow, outcomes, max_wait_s=0, max_waiting=40, burst_s=DEADLINE_S) as stage:
        for number in range(40):
            stage.submit(at(number))
        outcomes.await_count(len(processed))
    assert outcomes.pts == list(processed)
    assert is_balanced(stage)


def test_a_sink_that_blocks_makes_the_stage_drop_at_its_entry(gate):
    with stage_of(lambda frame: frame, gate, max_waiting=2) as stage:
        stage.submit(frame(0))
        gate.await_entry()
        for pts in range(1, 6):
            stage.submit(frame(pts))
        assert stage.stats().drops == {"late": 3}
        stage.close(timeout_s=0)
        gate.opened.set()
    assert is_balanced(stage)


def test_a_frame_that_process_frame_withholds_is_counted_and_reported(outcomes):
    with stage_of(lambda frame: frame if frame.pts % 2 else None, outcomes) as stage:
        for pts in range(4):
            stage.submit(frame(pts))
            outcomes.await_count(pts + 1)
    assert [processed.output is None for processed in outcomes.all] == [True, False, True, False]
    assert stage.stats().drops == {"withheld": 2}
    assert stage.stats().frames_out == 2
    assert is_balanced(stage)


@settings(max_examples=50, deadline=None)
@given(
    submits=st.lists(st.sampled_from(["keep", "withhold", "fail"]), max_size=40),
    max_waiting=st.integers(1, 8),
    max_wait_s=st.sampled_from([0, DEADLINE_S]),
    on_error=st.sampled_from(OnError),
    drain=st.booleans(),
)
def test_every_frame_is_counted_once_and_leaves_in_order(submits, max_waiting, max_wait_s, on_error, drain):
    def process_frame(frame):
        if submits[frame.pts] == "fail":
            raise ValueError("no")
        return frame if submits[frame.pts] == "keep" else None

    outcomes = Outcomes()
    options = {"max_waiting": max_waiting, "max_wait_s": max_wait_s, "burst_s": 0, "on_error": on_error}
    stage = stage_of(process_frame, outcomes, **options)
    stage.start()
    for pts in range(len(submits)):
        stage.submit(frame(pts))
    assert stage.close(drain=drain)
    assert stage.stats().frames_in == len(submits)
    assert is_balanced(stage)
    assert outcomes.pts == sorted(set(outcomes.pts))


# Params and results


def test_a_frame_sees_one_set_of_params_even_if_they_change_meanwhile(gate, outcomes):
    seen = []

    def process_frame(frame, params: Level):
        seen.append(params.level)
        gate(frame)
        seen.append(params.level)
        return frame

    with stage_of(process_frame, outcomes, max_wait_s=DEADLINE_S) as stage:
        stage.submit(frame(0))
        stage.submit(frame(1))
        gate.await_entry()
        stage.params = stage.params.updated({"level": 9})
        gate.opened.set()
        outcomes.await_count(2)
    assert seen == [0, 0, 9, 9]
    assert [processed.params for processed in outcomes.all] == [Level(level=0), Level(level=9)]


def test_a_result_carries_its_source_its_output_and_its_time(outcomes):
    source = frame(pts=41)
    with stage_of(lambda frame: frame.tensor + 1, outcomes) as stage:
        stage.submit(source)
    [processed] = outcomes.all
    assert processed.source is source
    assert processed.output.pts == 41
    assert processed.output.pixels.min() == 255
    assert processed.took_s >= 0
    assert processed.waited_s >= 0
    assert set(stage.stats().process_ms) == set(stage.stats().wait_ms) == {"p50", "p95"}


def test_what_process_frame_publishes_goes_where_the_stage_says(outcomes):
    lines = []

    def process_frame(frame):
        publish({"pts": frame.pts})
        return frame

    with stage_of(process_frame, outcomes, publish=lines.append) as stage:
        stage.submit(frame(7))
    assert lines == [b'{"pts":7}\n']


# Exceptions of process_frame


def test_an_exception_lets_the_original_frame_out_and_is_counted_once_a_kind(outcomes, caplog):
    caplog.set_level(logging.ERROR, "byoc_kit.core.stage")

    def process_frame(frame):
        if frame.pts % 2:
            raise ValueError(f"frame {frame.pts}")
        frame.tensor.fill_(1)
        raise KeyError("weights")

    first_line = process_frame.__code__.co_firstlineno
    with stage_of(process_frame, outcomes) as stage:
        for pts in range(4):
            stage.submit(frame(pts))
            outcomes.await_count(pts + 1)
    failures = [(f.error, f.where, f.message, f.count) for f in stage.stats().failures]
    assert failures == [
        ("KeyError", f"test_stage.py, line {first_line + 4}", "'weights'", 2),
        ("ValueError", f"test_stage.py, line {first_line + 2}", "frame 3", 2),
    ]
    assert [processed.failure.count for processed in outcomes.all] == [1, 1, 2, 2]
    assert all(processed.output.pts == processed.source.pts for processed in outcomes.all)
    assert max(processed.output.pixels.max() for processed in outcomes.all) == 0
    assert [record.message.split(" raised ")[1][:8] for record in caplog.records] == ["KeyError", "ValueErr"]
    assert stage.stats().frames_out == 4
    assert is_balanced(stage)


def test_the_failures_of_another_processor_begin_anew_and_are_logged_again(outcomes, caplog):
    caplog.set_level(logging.ERROR, "byoc_kit.core.stage")

    def process_frame(frame):
        raise ValueError("no")

    with stage_of(process_frame, outcomes) as stage:
        for _ in range(2):
            stage.submit(frame())
        outcomes.await_count(2)
        stage.swap(FrameProcessor(Hooks.of(lambda frame: frame)), Params())
        assert stage.stats().failures == []
        stage.swap(FrameProcessor(Hooks.of(process_frame)), Params())
        stage.submit(frame())
    assert [failure.count for failure in stage.stats().failures] == [1]
    assert len(caplog.records) == 2


def test_an_exception_names_the_notebooks_cell(outcomes):
    def process_frame(frame):
        raise LookupError("no model")

    stage = stage_of(process_frame, outcomes)
    first_line = process_frame.__code__.co_firstlineno
    stage.processor.source_map = SourceMap("effects.ipynb", [CellSpan(cell=3, first_line=first_line, lines=2)])
    with stage:
        stage.submit(frame())
    assert stage.stats().failures[0].where == "effects.ipynb, cell 3, line 2"


@pytest.mark.parametrize("made", ["frame.pixels / 255", "frame.tensor[0, 0]"])
def test_a_wrong_result_shows_the_line_that_returned_it(outcomes, tmp_path, made):
    module = tmp_path / "effects.py"
    module.write_text(f"def process_frame(frame):\n    made = {made}\n    return made\n")
    namespace = {}
    exec(compile(module.read_text(), module, "exec"), namespace)  # noqa: S102
    with stage_of(namespace["process_frame"], outcomes) as stage:
        stage.submit(frame())
    [failure] = stage.stats().failures
    assert failure.error == "FrameError"
    assert failure.trace == "effects.py, line 3, in process_frame\n    return made"


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError("gone")])
def test_an_exception_that_would_end_a_thread_does_not_end_the_stage(outcomes, error):
    def process_frame(frame):
        if frame.pts == 0:
            raise error
        return frame

    with stage_of(process_frame, outcomes) as stage:
        for pts in range(2):
            stage.submit(frame(pts))
            outcomes.await_count(pts + 1)
    assert [processed.failure is None for processed in outcomes.all] == [False, True]
    assert stage.stats().failures[0].error == type(error).__name__
    assert stage.error is None


def test_a_result_that_is_no_picture_is_a_failure_like_any_other(outcomes):
    with stage_of(lambda frame: "done", outcomes) as stage:
        stage.submit(frame())
    assert stage.stats().failures[0].error == "FrameError"
    assert outcomes.all[0].output.pixels.max() == 0


def test_what_a_frame_that_failed_had_written_does_not_go_out(outcomes):
    def process_frame(frame):
        frame.pixels[:] = 200
        raise ValueError("no")

    with stage_of(process_frame, outcomes, on_error="passthrough") as stage:
        stage.submit(frame())
    assert outcomes.all[0].output.pixels.max() == 0


def fails_at(*numbers):
    def process_frame(frame):
        if frame.pts in numbers:
            raise ValueError("no")
        return np.full((2, 2, 3), frame.pts, np.uint8)

    return process_frame


def test_a_new_kind_of_exception_a_frame_is_told_apart_up_to_a_bound(outcomes, caplog):
    def process_frame(frame):
        raise type(f"Error{frame.pts}", (Exception,), {})("x" * 5_000_000)

    with stage_of(process_frame, outcomes) as stage:
        for number in range(MAX_KINDS + 10):
            stage.submit(frame(number))
            outcomes.await_count(number + 1)
    failures = stage.stats().failures
    assert [failure.error for failure in failures] == [f"Error{number}" for number in range(MAX_KINDS)] + ["others"]
    assert failures[-1].count == 10
    assert max(len(failure.message) for failure in failures) < 2 * LONGEST_TEXT
    assert len([record for record in caplog.records if "process_frame raised" in record.message]) == MAX_KINDS + 1


def test_the_last_good_frame_can_stand_in_for_one_that_failed(outcomes):
    with stage_of(fails_at(0, 2, 3), outcomes, on_error="last") as stage:
        for pts in range(5):
            stage.submit(frame(pts))
            outcomes.await_count(pts + 1)
    assert [int(processed.output.pixels.max()) for processed in outcomes.all] == [0, 1, 1, 1, 4]
    assert [processed.output.pts for processed in outcomes.all] == [0, 1, 2, 3, 4]


def test_a_frame_that_failed_can_be_dropped_and_is_counted(outcomes):
    with stage_of(fails_at(0, 2), outcomes, on_error="drop") as stage:
        for pts in range(4):
            stage.submit(frame(pts))
            outcomes.await_count(pts + 1)
    assert [processed.output is None for processed in outcomes.all] == [True, False, True, False]
    assert stage.stats().drops == {"failed": 2}
    assert is_balanced(stage)


def test_a_stage_knows_how_many_frames_failed_in_a_row(outcomes):
    with stage_of(fails_at(1, 2), outcomes) as stage:
        counts = []
        for pts in range(4):
            stage.submit(frame(pts))
            outcomes.await_count(pts + 1)
            counts.append(stage.failures_in_a_row)
    assert counts == [0, 1, 2, 0]


def test_a_stage_knows_how_long_process_frame_has_been_at_a_frame(gate, outcomes):
    with stage_of(gate, outcomes) as stage:
        assert stage.frame_taking_s == 0
        stage.submit(frame())
        gate.await_entry()
        first = stage.frame_taking_s
        assert stage.frame_taking_s > first > 0
        assert not stage.close(timeout_s=0)
        assert stage.is_running
        gate.opened.set()
        outcomes.await_count(1)
        assert stage.frame_taking_s == 0
    assert not stage.is_running


# The end


def test_close_processes_what_waits(gate, outcomes):
    stage = stage_of(gate, outcomes, max_wait_s=0)
    stage.start()
    stage.submit(frame(0))
    gate.await_entry()
    for pts in range(1, 5):
        stage.submit(frame(pts))
    assert not stage.close(timeout_s=0)
    gate.opened.set()
    assert stage.close()
    assert outcomes.pts == [0, 1, 2, 3, 4]
    assert is_balanced(stage)


def test_close_without_draining_counts_what_waited_as_closed(gate, outcomes):
    stage = stage_of(gate, outcomes)
    stage.start()
    stage.submit(frame(0))
    gate.await_entry()
    for pts in range(1, 5):
        stage.submit(frame(pts))
    assert not stage.close(drain=False, timeout_s=0)
    gate.opened.set()
    assert stage.close()
    assert outcomes.pts == [0]
    assert stage.stats().drops == {"closed": 4}
    assert is_balanced(stage)


def test_leaving_the_with_block_by_an_exception_does_not_drain(gate, outcomes):
    with pytest.raises(ZeroDivisionError), stage_of(gate, outcomes) as stage:  # noqa: PT012
        stage.submit(frame(0))
        gate.await_entry()
        stage.submit(frame(1))
        threading.Thread(target=lambda: open_when_closed(stage, gate)).start()
        raise ZeroDivisionError
    assert outcomes.pts == [0]
    assert stage.stats().drops == {"closed": 1}


def open_when_closed(stage, gate):
    with stage._changed:
        assert stage._changed.wait_for(lambda: stage._is_closing, DEADLINE_S)
    gate.opened.set()


def test_a_frame_after_the_end_is_counted_and_not_kept(outcomes):
    with stage_of(lambda frame: frame, outcomes) as stage:
        pass
    stage.submit(frame())
    assert outcomes.all == []
    assert stage.stats().drops == {"closed": 1}
    assert is_balanced(stage)


def test_close_of_a_stage_that_is_behind_keeps_the_newest_frame_only(gate, outcomes):
    stage = stage_of(gate, outcomes, max_wait_s=0, burst_s=0)
    stage.start()
    stage.submit(frame(0))
    gate.await_entry()
    for pts in range(1, 5):
        stage.submit(frame(pts))
    assert not stage.close(timeout_s=0)
    gate.opened.set()
    assert stage.close()
    assert outcomes.pts == [0, 4]
    assert stage.stats().drops == {"late": 3}


def test_what_waits_at_close_is_all_processed_however_late_it_gets_and_however_often_close_is_called(gate, outcomes):
    stage = stage_of(gate, outcomes, max_wait_s=3600, burst_s=0)
    stage.start()
    stage.submit(frame(0))
    gate.await_entry()
    for pts in range(1, 5):
        stage.submit(frame(pts))
    assert not stage.close(timeout_s=0)
    stage._max_wait_s = 0  # by now they have waited for too long
    assert not stage.close(timeout_s=0)
    gate.opened.set()
    assert stage.close()
    assert outcomes.pts == [0, 1, 2, 3, 4]
    assert stage.stats().drops == {}


@pytest.mark.parametrize("fails", [False, True])
def test_a_stage_goes_with_its_last_user(fails, monkeypatch):
    def sink(_):
        if fails:
            raise OSError("the channel is gone")

    monkeypatch.setattr("byoc_kit.core.stage.logger.disabled", True)  # pytest keeps what is logged, traceback and all
    gc.disable()
    try:
        with stage_of(lambda frame: frame, sink) as stage:
            stage.submit(frame())
        never_started = stage_of(lambda frame: frame, sink)
        left = [weakref.ref(stage), weakref.ref(never_started)]
        del stage, never_started
        assert [ref() for ref in left] == [None, None]
    finally:
        gc.enable()


def test_close_does_not_wait_for_a_process_frame_that_hangs(gate, outcomes):
    stage = stage_of(gate, outcomes)
    stage.start()
    stage.submit(frame())
    gate.await_entry()
    assert stage.close(timeout_s=0) is False
    gate.opened.set()
    assert stage.close() is True


def test_a_stage_that_never_started_is_closed():
    assert stage_of(lambda frame: frame, Outcomes()).close()


def test_a_sink_may_close_the_stage(outcomes):
    results = []
    with stage_of(lambda frame: frame, lambda processed: results.append(stage.close())) as stage:
        stage.submit(frame())
    assert results == [False]
    assert stage.close()


def test_a_failing_sink_is_recorded_and_ends_the_stage(gate, caplog):
    def sink(processed):
        gate(processed)
        raise OSError("the channel is gone")

    stage = stage_of(lambda frame: frame, sink, name="stage of stream s1")
    stage.start()
    stage.submit(frame(0))
    gate.await_entry()
    for pts in range(1, 4):
        stage.submit(frame(pts))
    gate.opened.set()
    stage._worker.join(DEADLINE_S)
    stage.submit(frame(4))
    assert stage.close()
    assert str(stage.error) == "the channel is gone"
    assert stage.stats().drops == {"closed": 4}  # three that waited, one that came after
    assert is_balanced(stage)
    assert "the sink of stage of stream s1 failed; the stage ends" in caplog.text


def test_the_worker_bears_the_stages_name(outcomes):
    names = []
    with stage_of(lambda frame: names.append(threading.current_thread().name), outcomes, name="stage s1") as stage:
        stage.submit(frame())
    assert names == ["stage s1"]
    assert "stage s1" not in [thread.name for thread in threading.enumerate()]


def test_a_frame_is_let_go_when_it_is_done():
    source = frame()
    ref = weakref.ref(source)
    with stage_of(lambda frame: None, lambda processed: None) as stage:
        stage.submit(source)
    del source
    assert ref() is None
