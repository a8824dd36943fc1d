import json

import pytest

from byoc_kit.bundle.announce import render_announcements
from byoc_kit.core.capability import Capability

TINT = Capability(model_id="tint")
GRADE = Capability(
    model_id="Org/Grade_v1.2",
    price_per_unit=3000,
    pixels_per_unit=1_000_000,
    price_usd_per_hour=3.5,
    warm=False,
    capacity=2,
    version="1.4.0",
    description="Grades a picture",
    gpu={"name": "NVIDIA L40S", "vram_mb": 46068},
    url="https://gpu.example/grade",
    image="registry.example/grade:1.4.0",
)


def announced(capability, *, managed=False):
    return render_announcements(capability, managed=managed, kit_version="0.1.0", params_sha256="5bc6")


def test_the_least_that_announces_a_model():
    assert announced(TINT) == {
        "aiModels.json": """\
[
  {
    "pipeline": "live-video-to-video",
    "model_id": "tint",
    "price_per_unit": 0,
    "warm": true,
    "capacity": 1,
    "container": "byoc/tint:latest",
    "url": "http://localhost:8000"
  }
]
""",
        "runners.json": """\
{
  "runners": [
    {
      "label": "tint",
      "routing": "label",
      "runner_url": "http://localhost:8000",
      "health_url": "/health/live-runner",
      "app": "live-video-to-video/tint",
      "metadata": "{\\"byoc_kit\\":\\"0.1.0\\",\\"model_id\\":\\"tint\\",\\"params_sha256\\":\\"5bc6\\"}",
      "mode": "persistent",
      "capacity": 1
    }
  ]
}
""",
        "register.json": """\
{
  "name": "tint",
  "description": "",
  "url": "http://localhost:8000",
  "capacity": 1,
  "price_per_unit": 0,
  "price_scaling": 1,
  "currency": "wei"
}
""",
    }


def test_the_most_that_announces_a_model():
    assert announced(GRADE) == {
        "aiModels.json": """\
[
  {
    "pipeline": "live-video-to-video",
    "model_id": "Org/Grade_v1.2",
    "price_per_unit": 3000,
    "pixels_per_unit": 1000000,
    "warm": false,
    "capacity": 2,
    "container": "registry.example/grade:1.4.0",
    "url": "https://gpu.example/grade"
  }
]
""",
        "runners.json": """\
{
  "runners": [
    {
      "label": "Org--Grade_v1.2",
      "routing": "label",
      "runner_url": "https://gpu.example/grade",
      "health_url": "https://gpu.example/grade/health/live-runner",
      "app": "live-video-to-video/Org/Grade_v1.2",
      "version": "1.4.0",
      "metadata": "{\\"byoc_kit\\":\\"0.1.0\\",\\"model_id\\":\\"Org/Grade_v1.2\\",\\"params_sha256\\":\\"5bc6\\"}",
      "mode": "persistent",
      "capacity": 2,
      "gpu": {
        "name": "NVIDIA L40S",
        "vram_mb": 46068
      },
      "price_info": {
        "price": 3.5,
        "currency": "usd",
        "unit": "hour"
      }
    }
  ]
}
""",
        "register.json": """\
{
  "name": "Org/Grade_v1.2",
  "description": "Grades a picture",
  "url": "https://gpu.example/grade",
  "capacity": 2,
  "price_per_unit": 3000,
  "price_scaling": 1,
  "currency": "wei"
}
""",
    }


def test_a_managed_model_has_no_url_and_its_image_apart():
    files = announced(GRADE, managed=True)
    assert (
        files["aiModels.json"]
        == """\
[
  {
    "pipeline": "live-video-to-video",
    "model_id": "Org/Grade_v1.2",
    "price_per_unit": 3000,
    "pixels_per_unit": 1000000,
    "warm": false,
    "container": "registry.example/grade:1.4.0"
  }
]
"""
    )
    assert (
        files["aiRunnerImageOverrides.json"]
        == """\
{
  "live": {
    "Org/Grade_v1.2": "registry.example/grade:1.4.0"
  }
}
"""
    )
    assert files.keys() - announced(GRADE).keys() == {"aiRunnerImageOverrides.json"}


def test_parameters_that_only_running_would_tell_have_no_hash():
    files = render_announcements(TINT, managed=False, kit_version="0.1.0")
    [runner] = json.loads(files["runners.json"])["runners"]
    assert json.loads(runner["metadata"]) == {"byoc_kit": "0.1.0", "model_id": "tint"}


@pytest.mark.parametrize("other", ["a-b", "A/b", "a/B"])
def test_no_two_models_have_the_same_label(other):
    labels = [
        json.loads(announced(Capability(model_id=one))["runners.json"])["runners"][0]["label"] for one in ("a/b", other)
    ]
    assert labels[0] != labels[1]
