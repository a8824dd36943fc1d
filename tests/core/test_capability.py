import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from byoc_kit.bundle.announce import image_name
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
        ({"price_per_unit": 2**63}, "less than or equal to 9223372036854775807"),  # /capability/register has an int64
        ({"price_usd_per_hour": 0}, "greater than 0"),
        ({"price_usd_per_hour": "0.5"}, "valid number"),
        ({"price_usd_per_hour": float("inf")}, "finite number"),
        ({"pixels_per_unit": 0}, "greater than or equal to 1"),
        ({"pixels_per_unit": 1.5}, "valid integer"),
        ({"description": None}, "valid string"),
        ({"image": "a" * 256}, "at most 255 characters"),
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


def test_a_model_id_leaves_room_for_the_rest_of_an_images_name():
    assert len(image_name(Capability(model_id="a" * 250))) <= 255 + len(":latest")
    with pytest.raises(ValidationError, match="at most 250 characters"):
        Capability(model_id="a" * 251)


@pytest.mark.parametrize("version", ["0.0.0", "1.4.0", "1.0.0-rc.1", "1.0.0-0a.x-y+build.007"])
def test_a_version_is_semantic(version):
    assert Capability(model_id="a", version=version).version == version


@pytest.mark.parametrize("version", ["", "1", "1.4", "v1.4.0", "1.04.0", "1.4.0-", "1.4.0-01", "1.4.0 ", "1.4.0\n"])
def test_another_version_is_refused_and_shown(version):
    with pytest.raises(ValidationError, match="must be three numbers") as raised:
        Capability(model_id="a", version=version)
    assert repr(version) in raised.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000",
        "https://gpu-1.example/tint/v2",
        "http://my_service:80",
        "http://[::1]:8000",
        "http://10.0.0.1",
    ],
)
def test_a_container_is_where_its_url_says(url):
    assert Capability(model_id="a", url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8000",
        "ftp://host",
        "http://",
        "http://host/",
        "http://host:port",
        "http://host:65536",
        "http://host:0",
        "http://me:secret@host",
        "http://host?a=b",
        "http://host#a",
        "http://ho st",
        "http://[::1",
        "http://[:::]",
        "http://host/%zz",
        "http://host\n",
    ],
)
def test_a_url_that_leads_to_no_container_is_refused_and_shown(url):
    with pytest.raises(ValidationError, match="must look like http://host:8000") as raised:
        Capability(model_id="a", url=url)
    assert repr(url) in raised.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    "image", ["tint", "byoc/tint:latest", "registry.example:5000/a/b__c:1.4.0-rc.1", f"a/b@sha256:{'0' * 64}"]
)
def test_an_image_may_be_named(image):
    assert image_name(Capability(model_id="a", image=image)) == image


@pytest.mark.parametrize(
    "image", ["", "Tint", "tint:", "tint:a b", "/tint", "tint/", "a//b", "tint@sha256:0", "tint\n"]
)
def test_what_docker_does_not_take_for_an_image_is_refused_and_shown(image):
    with pytest.raises(ValidationError, match="must be the name of an image") as raised:
        Capability(model_id="a", image=image)
    assert repr(image) in raised.value.errors()[0]["msg"]


@pytest.mark.parametrize("gpu", [{"name": "NVIDIA L40S"}, {"vram_mb": 1}, {"name": "NVIDIA L40S", "vram_mb": 46068}])
def test_a_gpu_has_a_name_or_memory(gpu):
    assert Capability(model_id="a", gpu=gpu).gpu == gpu


@pytest.mark.parametrize(
    "gpu",
    [
        {},
        True,
        0,
        "NVIDIA L40S",
        {"name": ""},
        {"name": 1},
        {"vram_mb": 0},
        {"vram_mb": "46068"},
        {"vram_mb": True},
        {"vram": 1},
        {1: 2},
    ],
)
def test_a_gpu_of_another_form_is_refused_and_shown(gpu):
    with pytest.raises(ValidationError, match="must be a name, megabytes of memory, or both") as raised:
        Capability(model_id="a", gpu=gpu)
    assert repr(gpu) in raised.value.errors()[0]["msg"]


def test_a_price_in_wei_keeps_every_digit():
    assert Capability(model_id="a", price_per_unit=2**63 - 1).price_per_unit == 2**63 - 1


def test_a_capability_cannot_be_written_to():
    with pytest.raises(ValidationError, match="frozen"):
        Capability(model_id="a").capacity = 2


def test_the_slug_is_the_id_in_lower_case_without_slashes():
    assert Capability(model_id="Org/Night-Vision_v1.2").slug == "org-night-vision_v1.2"


@given(st.from_regex(r"[A-Za-z0-9]+([._/-][A-Za-z0-9]+)*", fullmatch=True))
def test_every_slug_is_one_part_of_an_image_name(model_id):
    # What Docker takes: https://pkg.go.dev/github.com/distribution/reference
    assert re.fullmatch(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*", Capability(model_id=model_id).slug)
