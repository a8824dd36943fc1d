import re
from pathlib import Path

import pytest

from byoc_kit.media.quality import Quality
from byoc_kit.verification.replay import Fault, Replay
from byoc_kit.verification.report import print_table, rows
from byoc_kit.verification.result import Difference, FrameResult, Limits, Result, Streamed
from byoc_kit.verification.target import Where


def result(**values):
    return Result(Limits(min_frames=0.9, min_psnr_db=30), **values)


def notes(found):
    return {row.name: row.note for row in found if not row.is_run}


def test_all_ways_are_there_and_those_that_were_not_gone_say_why(replayed):
    one = replayed(lambda frame: frame)
    frames = [FrameResult(1, 0.012, Quality(42.13, 0.981), is_back=True), FrameResult(2)]
    streams = [Streamed(Where(), frames=frames)]
    notebook, module, server, container = rows(
        result(notebook=one, module=one, difference=Difference(0), streams=streams)
    )
    assert (notebook.name, notebook.frames, notebook.max_diff) == ("notebook", "10 of 10", "")
    assert (module.name, module.frames, module.max_diff) == ("module", "10 of 10", "0")
    assert module.p50.endswith(" ms")
    assert server.cells == (
        "server over trickle",
        "1 of 2",
        "",
        "42.1 dB",
        "0.9810",
        "12 ms",
        "12 ms",
        "1 of them compared with the notebook's, after the codec",
    )
    assert (container.is_run, container.note) == (False, "not run: no --image and no --url")


def test_the_server_and_the_container_have_a_row_each(replayed):
    one = replayed(lambda frame: frame)
    streams = [
        Streamed(Where(), frames=[FrameResult(1, 0.012, Quality(42.0, 0.98), is_back=True)]),
        Streamed(Where(image=""), frames=[FrameResult(1, 0.034, Quality(41.0, 0.97), is_back=True), FrameResult(2)]),
    ]
    _, _, server, container = rows(result(notebook=one, module=one, streams=streams))
    assert (server.frames, server.psnr, server.p50) == ("1 of 1", "42.0 dB", "12 ms")
    assert (container.frames, container.psnr, container.p50) == ("1 of 2", "41.0 dB", "34 ms")


def test_what_was_left_out_says_which_option_did_it(replayed):
    one = replayed(lambda frame: frame)
    broken = Streamed(Where(url="http://host:1"), broken="no answer")
    assert notes(rows(result(module=one, streams=[broken]))) == {
        "notebook": "not run: --skip-notebook",
        "server over trickle": "not run: --skip-server",
        "container at http://host:1": "no answer",
    }


def test_what_broke_off_says_where(replayed):
    broken = Replay(Path(), fault=Fault.LOAD, failure="cell 3, line 1: NameError: no")
    found = rows(result(notebook=broken, module=broken, not_served="the module does not load"))
    assert notes(found) == {
        "notebook": "cell 3, line 1: NameError: no",
        "module": "cell 3, line 1: NameError: no",
        "server over trickle": "not run: the module does not load",
        "container": "not run: no --image and no --url",
    }


def test_frames_that_were_dropped_or_raised_are_counted(replayed):
    def moody(frame):
        number = next(numbers)
        if number < 2:
            raise ValueError("no")
        return None if number < 5 else frame

    numbers = iter(range(10))
    row = rows(result(module=replayed(moody)))[1]
    assert row.frames == "5 of 10"
    assert row.note.startswith("3 dropped, 2 raised, ")


OF_BYTES = "the tensor goes up to 19, and frames are 0 to 1: divide it by 255"


@pytest.mark.parametrize(
    "of_bytes", [lambda frame: frame.tensor * 255, lambda frame: frame.replace(tensor=frame.tensor.clamp(0, 1) * 255)]
)
def test_a_tensor_of_0_to_255_is_noted_and_falls_not_short(replayed, capsys, of_bytes):
    one = replayed(of_bytes)
    found = result(module=one)
    assert found.notes() == [("process_frame", OF_BYTES)]
    assert found.is_met
    print_table(found)
    assert re.search(rf"note  process_frame +{OF_BYTES}\n", capsys.readouterr().out)


def test_a_tensor_of_0_to_1_is_not_noted(replayed):
    assert result(module=replayed(lambda frame: frame.tensor)).notes() == []


@pytest.mark.parametrize(("withheld", "is_said"), [(0, True), (2, False)])
def test_a_busy_machine_is_named_only_where_it_can_be_the_cause(replayed, capsys, withheld, is_said):
    frames = [FrameResult(pts, is_back=pts > 1) for pts in range(10)]
    server = Streamed(Where(), frames=frames, status={"drops": {"process": {"withheld": withheld}}})
    print_table(result(module=replayed(lambda frame: frame), streams=[server], busy="load 16.7 on 2 CPUs"))
    assert ("this machine was busy (load 16.7 on 2 CPUs)" in capsys.readouterr().out) is is_said
