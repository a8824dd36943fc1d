import json

import pytest

from byoc_kit.errors import ByocKitError
from byoc_kit.network.models import read_models

ENTRY = {
    "pipeline": "live-video-to-video",
    "model_id": "green-tint",
    "price_per_unit": 3000,
    "warm": True,
    "container": "registry.example/green-tint:1",
    "url": "http://localhost:8000/",
}


@pytest.fixture
def read(tmp_path):
    def read(document):
        path = tmp_path / "aiModels.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return read_models(path)

    return read


def test_the_documented_entry_is_read(read):
    [entry] = read([ENTRY])
    assert entry.model_dump() == {**ENTRY, "url": "http://localhost:8000", "capacity": 1, "token": None}


def test_unknown_keys_are_ignored(read):
    [entry] = read([{**ENTRY, "optimization_flags": {"SFAST": True}}])
    assert entry.model_id == "green-tint"


def test_a_fractional_price_is_kept(read):
    assert read([{**ENTRY, "price_per_unit": 0.5}])[0].price_per_unit == 0.5


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"price_per_unit": "3000"},
            'entry 1, price_per_unit: must be a JSON number such as 3000, not "3000"',
        ),
        ({"price_per_unit": True}, "entry 1, price_per_unit: must be a JSON number such as 3000, not true"),
        ({"price_per_unit": -1}, "entry 1, price_per_unit: input should be greater than or equal to 0"),
        ({"pipeline": "text-to-image"}, "entry 1, pipeline: input should be 'live-video-to-video'"),
        ({"url": "localhost:8000"}, 'entry 1, url: must be an http:// or https:// URL, not "localhost:8000"'),
        ({"warm": "yes"}, "entry 1, warm: input should be a valid boolean"),
        ({"capacity": 0}, "entry 1, capacity: input should be greater than or equal to 1"),
        ({"model_id": "green-tint"}, "entry 1, model_id: 'green-tint' is declared by an earlier entry"),
    ],
)
def test_an_error_names_file_entry_and_field(read, change, sentence):
    with pytest.raises(ByocKitError) as caught:
        read([ENTRY, {**ENTRY, "model_id": "other", **change}])
    assert str(caught.value).endswith(f"aiModels.json, {sentence}")


def test_each_missing_field_is_one_sentence(read):
    with pytest.raises(ByocKitError) as caught:
        read([{"pipeline": "live-video-to-video"}])
    assert [line.partition(", ")[2] for line in str(caught.value).splitlines()] == [
        "entry 0, model_id: field required",
        "entry 0, price_per_unit: field required",
    ]


def test_an_entry_that_the_ai_worker_would_start_is_served_here(read):
    [entry] = read([{key: value for key, value in ENTRY.items() if key != "url"}])
    assert entry.url == "http://localhost:8000"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("[", "is not JSON: "),
        ("{}", "must be a JSON array of entries, not dict"),
        ("[3]", "entry 0: must be a JSON object, not 3"),
    ],
)
def test_a_document_of_another_shape_is_refused(read, document, reason):
    with pytest.raises(ByocKitError, match=reason):
        read(document)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ByocKitError, match=r"aiModels\.json: cannot be read: No such file .*; give a bundle's"):
        read_models(tmp_path / "aiModels.json")


def test_an_entry_without_a_token_gets_the_environments(read, monkeypatch):
    monkeypatch.setenv("BYOC_KIT_TOKEN", "s3cret")
    entries = read([ENTRY, {**ENTRY, "model_id": "other", "token": "its own"}])
    assert [entry.token for entry in entries] == ["s3cret", "its own"]
