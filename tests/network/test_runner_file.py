import json
import re
from pathlib import Path

import pytest

from byoc_kit.errors import ByocKitError
from byoc_kit.network.runner_file import read_runners
from byoc_kit.network.runner_records import Gpu

ROOT = Path(__file__).parents[2]
ENTRY = {
    "label": "green-tint",
    "runner_url": "http://localhost:8000",
    "health_url": "/health",
    "app": "live-video-to-video/green-tint",
}


@pytest.fixture
def read(tmp_path):
    def read(document):
        path = tmp_path / "runners.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return read_runners(path)

    return read


def test_an_entry_gets_its_defaults(read):
    [entry] = read({"runners": [ENTRY]})
    assert (entry.routing, entry.healthy_status_code) == ("runner-id", 200)
    assert entry.health_url == "http://localhost:8000/health"
    record = entry.record()
    assert (record.mode, record.capacity) == ("persistent", 1)


@pytest.mark.parametrize(
    ("runner_url", "health_url", "whole"),
    [
        ("http://h:1/base/", "/health", "http://h:1/base/health"),
        ("http://h:1", "http://other/ok", "http://other/ok"),
    ],
)
def test_a_health_path_is_below_the_runners_url(read, runner_url, health_url, whole):
    [entry] = read({"runners": [{**ENTRY, "runner_url": runner_url, "health_url": health_url}]})
    assert entry.health_url == whole


def test_keys_of_any_case_and_unknown_ones_and_a_gpu_by_number_are_taken(read):
    [entry] = read({"runners": [{**ENTRY, "Capacity": 3, "colour": "green", "gpu": -1}]})
    assert (entry.capacity, entry.gpu) == (3, Gpu(id="-1"))


def test_a_price_is_a_number_or_a_text_that_is_one(read):
    for price in (10, 0.5, "10"):
        read({"runners": [{**ENTRY, "price_info": {"price": price}}]})


BAD = """{
  "runners": [
    {"label": "a", "runner_url": "http://h", "health_url": "/health", "app": "a/b"},
    {
      "label": "b",
      "runner_url": "http://h", "health_url": "/health",
      %s
      "app": "a/b"
    }
  ]
}
"""


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ('"capacity": "3",', "line 7, column 19: json: cannot unmarshal string into Go struct field runners.capacity"),
        ('"capacity": -3,', "line 7, column 19: runners[1]: capacity must be >= 0"),
        ('"mode": "often",', 'line 7, column 15: runners[1]: mode must be "persistent" or "single-shot"'),
        ('"routing": "x",', 'line 7, column 18: runners[1]: routing must be "runner-id" or "label"'),
        ('"healthy_status_code": 99,', "line 7, column 30: runners[1]: healthy_status_code must be a valid HTTP"),
        ('"metadata": "%s",' % ("é" * 513), "line 7, column 19: runners[1]: metadata must be at most 1024 bytes"),
        ('"metadata": "\ufffd",', "line 7, column 19: runners[1]: metadata must not contain Unicode replacement"),
        ('"price_info": {"price": "wat"},', "line 7, column 31: json: cannot unmarshal string"),
        ('"gpu": "one",', "line 7, column 14: json: cannot unmarshal string"),
        ('"oops",', "line 7, column 13: is not JSON: "),
    ],
)
def test_an_error_names_file_line_and_column(read, field, sentence):
    with pytest.raises(ByocKitError) as caught:
        read(BAD % field)
    assert str(caught.value).partition("runners.json, ")[2].startswith(sentence)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"label": ""}, "label is required and must be trimmed"),
        ({"label": " x"}, "label is required and must be trimmed"),
        ({"runner_url": "bad url"}, "invalid runner_url"),
        ({"runner_url": "bad url", "health_url": "http://h"}, "invalid runner_url"),
        ({"health_url": ""}, "health_url is required"),
        ({"health_url": "health"}, "invalid health_url"),
        ({"app": ""}, "app must be trimmed"),
        ({"label": "a/b", "routing": "label"}, 'label cannot contain / when routing is "label"'),
    ],
)
def test_each_rule_of_an_entry_has_its_text_and_shows_the_value(read, change, reason):
    document = json.dumps({"runners": [{**ENTRY, **change}]})
    with pytest.raises(ByocKitError) as caught:
        read(document)
    [column, said] = re.search(r"line 1, column (\d+): runners\[0\]: (.*)", str(caught.value)).groups()
    [field, value] = next(iter(change.items()))
    assert said == reason
    assert document[int(column) - 1 :].startswith(json.dumps(value)), field


def test_a_missing_field_is_shown_where_its_entry_begins(read):
    with pytest.raises(ByocKitError, match=r"line 1, column 14: runners\[0\]: label is required"):
        read({"runners": [{}]})


def test_labels_are_unique(read):
    with pytest.raises(ByocKitError, match=r'runners\[1\]: duplicate label "green-tint"'):
        read({"runners": [ENTRY, ENTRY]})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ByocKitError, match=r"runners\.json: cannot be read: No such file"):
        read_runners(tmp_path / "runners.json")


def test_a_file_that_is_no_utf_8_is_refused(tmp_path):
    (tmp_path / "runners.json").write_bytes(b'{"runners": "\xff"}')
    with pytest.raises(ByocKitError, match="line 1, column 14: is not JSON: it is not UTF-8"):
        read_runners(tmp_path / "runners.json")


@pytest.mark.parametrize("bundle", sorted(path.name for path in (ROOT / "export").iterdir()))
def test_what_a_bundle_declares_is_read(bundle):
    [entry] = read_runners(ROOT / "export" / bundle / "runners.json")
    assert entry.app.startswith("live-video-to-video/")
    assert entry.record().mode == "persistent"
