"""One table of parameters through all that makes them: a hook sees the same values wherever it runs."""

import asyncio
import json
from fractions import Fraction

import numpy as np
import pytest
from pydantic import Field, SecretStr, field_validator, model_validator
from stream_rig import SEGMENTS

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.params import Params, as_json, carried_over, given_values, raw_values
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.jupyter.preview.clip_feed import ClipFeed
from byoc_kit.jupyter.preview.function_version import Version
from byoc_kit.jupyter.preview.player import Player
from byoc_kit.regress.cases import Case, replay_case
from byoc_kit.regress.golden import Golden
from byoc_kit.regress.process import process_inputs
from byoc_kit.server.requests import StartRequest
from byoc_kit.server.session import Session
from byoc_kit.server.settings import ServerSettings
from byoc_kit.sources.synthetic import Synthetic
from byoc_kit.verification.replay import Task, replay


class PerCent(Params):
    strength: float = Field(50, ge=0, le=100)
    gain: float = 1.0

    @field_validator("strength")
    @classmethod
    def _as_fraction(cls, value):
        return value / 100


class Colour(Params):
    colour: str = "#ff8000"
    gain: float = 1.0

    @field_validator("colour")
    @classmethod
    def _as_rgb(cls, value):
        return tuple(int(value[at : at + 2], 16) for at in (1, 3, 5))


class Halved(Params):
    side: float = Field(8, le=4)
    gain: float = 1.0

    @field_validator("side", mode="before")
    @classmethod
    def _halve(cls, value):
        return value / 2


class Total(Params):
    parts: int = 3
    gain: float = 1.0

    @model_validator(mode="before")
    @classmethod
    def _double(cls, values):
        return {**values, "parts": 2 * values.get("parts", 3)}


class Aliased(Params):
    strength: float = Field(50, alias="s")
    gain: float = 1.0

    @field_validator("strength")
    @classmethod
    def _as_fraction(cls, value):
        return value / 100


TABLE = [
    pytest.param(PerCent, {}, {"strength": 0.5}, id="a default that a validator divides"),
    pytest.param(PerCent, {"strength": 20}, {"strength": 0.2}, id="a value that a validator divides"),
    pytest.param(Colour, {}, {"colour": (255, 128, 0)}, id="a default that becomes another type"),
    pytest.param(Colour, {"colour": "#010203"}, {"colour": (1, 2, 3)}, id="a value that becomes another type"),
    pytest.param(Halved, {}, {"side": 4}, id="a default that is halved before it is checked"),
    pytest.param(Halved, {"side": 6}, {"side": 3}, id="a value that is halved before it is checked"),
    pytest.param(Total, {"parts": 1}, {"parts": 2}, id="a validator of the whole"),
    pytest.param(Aliased, {"s": 20}, {"strength": 0.2}, id="a value given by its alias"),
]


def frame(number=0):
    return VideoFrame.from_pixels(np.zeros((16, 16, 3), np.uint8), number, Fraction(1, 25))


def processor_of(kind, seen):
    def process_frame(frame, params: kind):
        seen.append(params)
        return frame

    return FrameProcessor(Hooks.of(process_frame))


def in_preview(kind, given, seen, tmp_path):
    version = Version(processor_of(kind, seen).hooks.process_frame)
    player = Player(version, ClipFeed(Synthetic()), lambda _: None, on_event=lambda: None)
    player.update(given)
    player.update({"gain": 2})
    player.update({"gain": 1})
    seen.append(player.params)
    player.close()


def in_verify(kind, given, seen, tmp_path):
    clip = tmp_path / "clip.ts"
    clip.write_bytes(SEGMENTS[0])
    made = replay(processor_of(kind, seen), Task(clip, given, (), tmp_path), lambda *_: "here")
    seen.append(kind().updated(made.params))


def in_server(kind, given, seen, tmp_path):
    def session(params):
        request = StartRequest(gateway_request_id="x", params=params)
        return Session("x", request, processor_of(kind, seen), ServerSettings())

    async def change():
        for gain in (2, 1):
            await first.update_params({"gain": gain})

    first = session(given)
    asyncio.run(change())
    again = session(json.loads(json.dumps(first.status()["params"])))
    seen += [first._values.chosen.params, again._values.chosen.params]


def in_swap(kind, given, seen, tmp_path):
    before = kind().updated(given).updated({"gain": 1})
    params, refused = carried_over(before, type("Params", (kind,), {}))
    assert not refused
    seen.append(params)


def in_regress(kind, given, seen, tmp_path):
    golden = Golden("x", "", 16, 1, given, {0: frame().pixels}, {0: frame()})
    process_inputs(processor_of(kind, seen), golden)
    case = Case(frame().pixels, as_json(kind().updated(given)), 0, Fraction(1, 25), "", "", {})
    replay_case(processor_of(kind, seen), case)
    assert len(seen) == 2  # once each


@pytest.mark.parametrize("place", [in_preview, in_verify, in_server, in_swap, in_regress])
@pytest.mark.parametrize(("kind", "given", "expected"), TABLE)
def test_a_hook_sees_the_same_parameters_everywhere(kind, given, expected, place, tmp_path):
    seen = []
    place(kind, given, seen, tmp_path)
    assert seen
    for params in seen:
        assert {name: getattr(params, name) for name in expected} == expected


def test_what_is_shown_can_be_sent_again_and_hides_secrets():
    class Shown(PerCent):
        blend: PerCent = PerCent(strength=10)
        key: SecretStr = SecretStr("")
        own: int = Field(default=3, exclude=True)

    params = Shown().updated({"key": "hush", "blend": {"strength": 30}, "own": 4})
    shown = as_json(params)
    assert shown == {"strength": 50, "gain": 1.0, "blend": {"strength": 30}, "key": "**********"}
    assert Shown().updated({**shown, "key": "hush", "own": 4}) == params
    assert as_json(Shown())["blend"] == {"strength": 10, "gain": 1.0}


def test_what_a_factory_drew_once_stays_when_another_parameter_changes():
    drawn = iter(range(1, 100))

    class Seeded(Params):
        seed: int = Field(default_factory=lambda: next(drawn))
        gain: float = 1.0

    params = Seeded()
    assert params.updated({"gain": 2}).seed == params.seed == 1
    assert raw_values(params)["seed"] == 1


def test_parameters_with_the_same_values_are_equal_however_they_were_given():
    assert PerCent() == PerCent(strength=50) == PerCent().updated({"strength": 50.0})
    assert given_values(PerCent(strength=50)) == {"strength": 50}


def test_what_was_not_given_is_the_new_default_after_a_swap():
    class Stronger(PerCent):
        strength: float = 80

    assert carried_over(PerCent(gain=2), Stronger)[0] == Stronger(gain=2)


def test_of_what_is_carried_over_only_what_does_not_fit_is_left_behind():
    class Narrow(Params):
        strength: float = Field(1, le=10)
        gain: float = 1.0

    params, [refused] = carried_over(PerCent(strength=50, gain=3), Narrow)
    assert params == Narrow(gain=3)
    assert refused.field == "strength"
