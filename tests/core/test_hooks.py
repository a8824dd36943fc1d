import asyncio
import inspect
import threading

import numpy as np
import pytest
import torch
from pydantic import Field

import byoc_kit
from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.hooks import Hooks, run_to_end
from byoc_kit.core.params import Params
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.run_frames import run_frames
from byoc_kit.errors import ByocKitError


class Gain(Params):
    gain: float = Field(default=1.0, ge=0, le=2)


def keep(frame):
    return frame


def amplify(frame, params: Gain):
    return frame.tensor * params.gain


def grey(level=100):
    return VideoFrame.from_pixels(np.full((4, 6, 3), level, np.uint8), pts=7)


def test_the_optional_hooks_are_given_by_name():
    assert Hooks.of(keep, load_model=keep, on_stream_stop=print) == Hooks(keep, load_model=keep, on_stream_stop=print)


def test_a_lone_function_brings_its_params_by_annotation():
    assert Hooks.of(amplify) == Hooks(amplify, params_type=Gain)


def test_an_annotation_written_as_text_is_read():
    def late(frame: "VideoFrame", params: "Gain"): ...

    assert Hooks.of(late).params_type is Gain


@pytest.mark.parametrize("function", [keep, lambda frame, strength=3: frame, lambda frame, *rest, **named: frame])
def test_a_function_without_params_gets_none(function):
    assert Hooks.of(function).params_type is Params
    assert FrameProcessor(Hooks.of(function)).process(grey(), Params()).pixels.max() == 100


def namespace(source):
    made = {"byoc_kit": byoc_kit}
    exec(source, made)  # noqa: S102  # as a notebook's cells and an exported module do
    return made


@pytest.mark.parametrize("signature", ["frame, params", "frame, *, params", "frame, params=None"])
def test_params_without_an_annotation_are_the_class_next_to_the_function(signature):
    made = namespace(
        f"class Params(byoc_kit.Params):\n    level: int = 3\ndef f({signature}): return frame.pixels + params.level"
    )
    hooks = Hooks.of(made["f"])
    assert hooks.params_type is made["Params"]
    assert FrameProcessor(hooks).process(grey(), hooks.params_type(level=5)).pixels.max() == 105


def test_params_annotated_under_another_name_are_passed():
    def louder(frame, settings: Gain):
        return frame.tensor * settings.gain

    assert FrameProcessor(Hooks.of(louder)).process(grey(), Gain(gain=2)).pixels.max() == 200


@pytest.mark.parametrize("annotation", ["Unknown", "byoc_kit.Unknown", "int | 'Unknown'"])
def test_an_annotation_that_only_a_type_checker_knows_is_left_alone(annotation):
    made = namespace(f"from __future__ import annotations\ndef f(frame: {annotation}, params: Unknown): return frame")
    assert Hooks.of(made["f"]).params_type is Params


def test_a_params_class_of_another_kind_is_refused():
    made = namespace("class Params: ...\ndef f(frame, params): return frame")
    with pytest.raises(ByocKitError, match=r"write `class Params\(byoc_kit\.Params\)`"):
        Hooks.of(made["f"])


@pytest.mark.parametrize(
    ("function", "reason"),
    [(lambda: 1, "it takes no frame"), (lambda frame, size: frame, "nothing is there to give size")],
)
def test_a_signature_that_cannot_be_called_is_refused(function, reason):
    with pytest.raises(ByocKitError, match=reason):
        Hooks.of(function)


def test_a_function_that_says_nothing_of_its_arguments_is_refused_in_a_sentence():
    with pytest.raises(ByocKitError, match=r"^min does not say which arguments it takes; wrap it in a function"):
        Hooks.of(min)


def test_what_cannot_be_called_is_no_process_frame():
    with pytest.raises(ByocKitError, match="must be a function, not int"):
        Hooks.of(3)


def test_the_users_file_is_where_the_function_was_written():
    assert Hooks.of(torch.inference_mode()(keep)).user_file == __file__


@pytest.mark.parametrize("annotation", [Gain | None, Gain, "Gain | None"])
def test_parameters_are_known_in_a_union(annotation):
    def look(frame, settings=None):
        return frame.tensor * settings.gain

    look.__annotations__["settings"] = annotation
    processor = FrameProcessor(Hooks.of(look))
    assert processor.hooks.params_type is Gain
    assert processor.process(grey(), Gain(gain=0.5)).pixels.max() == 50


CALLABLES = """
import functools
import byoc_kit
class Params(byoc_kit.Params):
    level: int = 3
def two(scale, frame, params):
    return frame
class Model:
    def __call__(self, frame, params):
        return frame
    def run(self, frame, params):
        return frame
partial, instance, method = functools.partial(two, 2), Model(), Model().run
"""


@pytest.mark.parametrize("name", ["partial", "instance", "method"])
def test_parameters_are_found_behind_whatever_can_be_called(name):
    made = {}
    exec(compile(CALLABLES, "callables.py", "exec"), made)  # noqa: S102
    hooks = Hooks.of(made[name])
    assert hooks.params_type is made["Params"]
    assert hooks.user_file == "callables.py"


def test_process_audio_must_be_callable_with_a_frame():
    with pytest.raises(ByocKitError, match=r"process_audio cannot be called: nothing is there to give rate"):
        Hooks.of(keep, process_audio=lambda frame, rate: frame)


def returns_once(frame):
    wrong = frame.pixels / 255
    del frame
    return wrong


def returns_in_two_places(frame):
    if frame.pts:
        return frame
    return frame.pixels / 255


@pytest.mark.parametrize(("function", "offset"), [(returns_once, 3), (returns_in_two_places, 0)])
def test_a_wrong_result_is_of_the_return_where_there_is_one(function, offset):
    processor = FrameProcessor(Hooks.of(function))
    ran = []
    run_frames(processor, [VideoFrame.from_pixels(np.zeros((5, 7, 3), np.uint8))], processor.params, ran.append)
    line = inspect.getsourcelines(function)[1] + offset
    assert processor.where("process_frame", ran[0].error) == f"test_hooks.py, line {line}"


# The loop of async hooks


async def where():
    return asyncio.get_running_loop(), threading.current_thread().name


def test_all_hooks_run_on_one_loop_and_its_thread():
    assert run_to_end(where()) == run_to_end(where())
    assert run_to_end(where())[1] == "async hooks"


def test_a_task_that_a_hook_leaves_behind_goes_on():
    async def begin():
        event = asyncio.Event()
        return event, asyncio.create_task(event.wait())

    async def finish(event, task):
        event.set()
        return await task

    assert run_to_end(finish(*run_to_end(begin()))) is True


def test_hooks_run_without_gradients():
    async def is_inference():
        await asyncio.sleep(0)
        return torch.is_inference_mode_enabled()

    assert run_to_end(is_inference())
    assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_a_hook_cannot_end_the_loop(error):
    async def hook():
        raise error

    with pytest.raises(ByocKitError, match=type(error).__name__):
        run_to_end(hook())
    assert run_to_end(where())[1] == "async hooks"
