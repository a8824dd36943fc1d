import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from byoc_kit.core.capability import Capability


def test_a_model_is_free_warm_and_serves_one_stream_unless_said():
    capability = Capability(model_id="org/Night-Vision_v1.2")
    assert (capability.price_per_unit, capability.warm, capability.capacity) == (0, True, 1)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"price_per_unit": "100"}, "valid integer"),
        ({"price_per_unit": 100.0}, "valid integer"),
        ({"price_per_unit": True}, "valid integer"),
        ({"price_per_unit": None}, "valid integer"),
        ({"price_per_unit": -1}, "greater than or equal to 0"),
        ({"capacity": 0}, "greater than or equal to 1"),
        ({"capacity": "2"}, "valid integer"),
        ({"warm": 1}, "valid boolean"),
        ({"warm": "yes"}, "valid boolean"),
        ({"price": 100}, "Extra inputs"),
        ({"model_id": 5}, "valid string"),
    ],
)
def test_an_entry_that_go_livepeer_would_stop_at_is_refused(wrong, text):
    with pytest.raises(ValidationError, match=text) as raised:
        Capability(**{"model_id": "night-vision", **wrong})
    assert [error["loc"] for error in raised.value.errors()] == [(next(iter(wrong)),)]


@pytest.mark.parametrize(
    "model_id", ["", " ", "/a", "-a", ".a", "a.", "a/", "a..b", "a_-b", "a b", "a\n", "a:b", "a?b", "ä", "a\\b"]
)
def test_a_model_id_that_does_not_route_is_refused_and_shown(model_id):
    with pytest.raises(ValidationError, match="must be letters and digits") as raised:
        Capability(model_id=model_id)
    assert repr(model_id) in raised.value.errors()[0]["msg"]


def test_a_price_in_wei_keeps_every_digit():
    assert Capability(model_id="a", price_per_unit=10**30).price_per_unit == 10**30


def test_a_capability_cannot_be_written_to():
    with pytest.raises(ValidationError, match="frozen"):
        Capability(model_id="a").capacity = 2


def test_the_slug_is_the_id_in_lower_case_without_slashes():
    assert Capability(model_id="Org/Night-Vision_v1.2").slug == "org-night-vision_v1.2"


@given(st.from_regex(r"[A-Za-z0-9]+([._/-][A-Za-z0-9]+)*", fullmatch=True))
def test_every_slug_is_one_part_of_an_image_name(model_id):
    # What Docker takes: https://pkg.go.dev/github.com/distribution/reference
    assert re.fullmatch(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*", Capability(model_id=model_id).slug)
