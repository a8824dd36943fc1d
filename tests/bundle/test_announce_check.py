"""Each rule of go-livepeer with the line and column of what breaks it, and that what we write breaks none."""

import json
from dataclasses import dataclass
from typing import Self

import pytest
from capabilities_rig import CAPABILITIES
from hypothesis import given
from hypothesis import strategies as st

from byoc_kit.bundle.announce import render_announcements
from byoc_kit.bundle.announce_check import check_bytes
from byoc_kit.bundle.announce_fields import CODES
from byoc_kit.errors import ByocKitError
from byoc_kit.network.go_json import decode, refuse
from byoc_kit.network.runner_file import read_static_runners


def said(text, name="file.json"):
    """Return the findings as a terminal shows them, without the file's name."""
    data = text if isinstance(text, bytes) else text.encode()
    return [f"{one.line}:{one.column}: {one.message}; {one.hint} [{one.code}]" for one in check_bytes(data, name)]


def model(*, without=(), **changes):
    """Return an aiModels.json of one entry, each key in a line of its own: pipeline is in line 3."""
    entry = {"pipeline": "live-video-to-video", "model_id": "tint", "price_per_unit": 3000, "url": "http://host:8000"}
    entry = {key: value for key, value in {**entry, **changes}.items() if key not in without}
    return json.dumps([entry], indent=1)


def runner(*, without=(), **changes):
    """Return a runners.json of one entry, each key in a line of its own: label is in line 4."""
    entry = {
        "label": "tint",
        "runner_url": "http://host:8000",
        "health_url": "/health",
        "app": "live-video-to-video/tint",
        "price_info": {"price": 0.5},
    }
    entry = {key: value for key, value in {**entry, **changes}.items() if key not in without}
    return json.dumps({"runners": [entry]}, indent=1)


REFUSED = "so go-livepeer refuses the whole file"

MODELS = {
    "a sound one": (model(), []),
    "all that is read": (
        model(
            without=["url"],
            token="",
            warm=True,
            capacity=2,
            optimization_flags={"A": True, "B": "b", "C": None},
            gateway="0x0",
            pixels_per_unit=1e3,
            currency="WEI",
            container="byoc/tint",
        ),
        [],
    ),
    "keys in another case": (model().replace("model_id", "Model_ID").replace("pipeline", "PIPELINE"), []),
    "null leaves a field as it is": (model(warm=None, token=None, capacity=None, gateway=None), []),
    "nothing below nothing": (model(price_per_unit=-0.0, capacity=0, optimization_flags={}, url=""), []),
    "one container, priced for two gateways": (
        f"[{model()[1:-1]}, {model(gateway='0x0', price_per_unit=1)[1:-1]}]",
        [],
    ),
    "an object instead of an array": (
        '{"pipeline": "live-video-to-video", "model_id": "tint"}',
        ["1:1: this is an object, and go-livepeer reads an array of models; write it in [ ] [shape]"],
    ),
    "an array in the array": (
        "[\n []]",
        ["2:2: this entry is an array, and must be an object; write it in { } [shape]"],
    ),
    "a trailing comma": (
        "[\n {},\n]",
        ["2:4: this is not valid JSON: a comma before ], with nothing after it; correct it here [json]"],
    ),
    "no JSON": ("aiModels", ["1:1: this is not valid JSON: 'a' instead of a value; correct it here [json]"]),
    "a byte order mark": (
        b"\xef\xbb\xbf[]",
        ["1:1: this is not valid JSON: it begins with a byte order mark; correct it here [json]"],
    ),
    "another encoding": (
        '[\n"é"]'.encode("latin-1"),
        ["2:2: this is not valid JSON: it is not UTF-8; correct it here [json]"],
    ),
    "no pipeline": (
        model(without=["pipeline"]),
        ['2:2: pipeline is missing; write "pipeline": "live-video-to-video" [required]'],
    ),
    "an unknown pipeline": (
        model(pipeline="live-vidio-to-video"),
        [
            '3:15: pipeline is "live-vidio-to-video", which go-livepeer does not have; '
            "did you mean live-video-to-video? [value]"
        ],
    ),
    "no model": (model(model_id=""), ['4:15: model_id is missing; write "model_id": "tint" [required]']),
    "a model with spaces": (model(model_id=" tint"), ['4:15: model_id has spaces around it; write "tint" [value]']),
    "the same model warm and cold": (
        '[{"pipeline": "live-video-to-video", "model_id": "tint", "price_per_unit": 0, "warm": true},\n'
        ' {"pipeline": "live-video-to-video", "model_id": "tint", "price_per_unit": 0, "warm": false}]',
        ['2:87: "tint" is cold here and not in line 1: go-livepeer stops; write the same warm in both [duplicate]'],
    ),
    "the same model cold and warm": (
        '[{"pipeline": "live-video-to-video", "price_per_unit": 0, "model_id": "tint"},\n'
        ' {"pipeline": "live-video-to-video", "price_per_unit": 0, "model_id": "tint", "warm": true}]',
        ['2:87: "tint" is warm here and not in line 1: go-livepeer stops; write the same warm in both [duplicate]'],
    ),
    "a url that is none": (
        model(url="host:8000"),
        ['6:10: url is "host:8000", which is not a URL; write it as "http://localhost:8000" [value]'],
    ),
    "a price in quotes": (
        model(price_per_unit="3000"),
        [f'5:21: price_per_unit is "3000", {REFUSED}; write a number without quotes, as in 3000 [type]'],
    ),
    "no price but null": (
        model(price_per_unit=None),
        [f"5:21: price_per_unit is null, {REFUSED}; write a number without quotes, as in 3000 [type]"],
    ),
    "no price": (
        model(without=["price_per_unit"]),
        [
            "2:2: price_per_unit is missing: go-livepeer stops on-chain, unless its flag -pricePerUnit has a price; "
            'write "price_per_unit": 0 for a model that is free [on-chain]'
        ],
    ),
    "a negative price": (
        model(price_per_unit=-0.5),
        ["5:21: price_per_unit is -0.5, and must not be negative; write 0 or more [value]"],
    ),
    "pixels that are not whole": (
        model(pixels_per_unit=1.5),
        [
            "7:22: pixels_per_unit is 1.5, at which go-livepeer stops on-chain; "
            "write 1 or more, without a fraction [value]"
        ],
    ),
    "no pixels": (
        model(pixels_per_unit=0),
        [
            "7:22: pixels_per_unit is 0, at which go-livepeer stops on-chain; "
            "write 1 or more, without a fraction [value]"
        ],
    ),
    "warm as a text": (model(warm="true"), [f'7:11: warm is "true", {REFUSED}; write true or false [type]']),
    "capacity as a fraction": (
        model(capacity=1.0),
        [f"7:15: capacity is 1.0, {REFUSED}; write a whole number, as in 1 [type]"],
    ),
    "capacity beyond an int64": (
        model(capacity=2**63),
        [f"7:15: capacity is 9223372036854775808, {REFUSED}; write a whole number, as in 1 [type]"],
    ),
    "a negative capacity": (
        model(capacity=-1),
        ["7:15: capacity is -1, and must not be negative; write 0 or more [value]"],
    ),
    "a number as an optimization flag": (
        model(without=["url"], warm=True, optimization_flags={"STEPS": 4}),
        [f'8:13: STEPS is 4, {REFUSED}; write a string, as in "tint" [type]'],
    ),
    "optimization flags of no object": (
        model(without=["url"], warm=True, optimization_flags=["A"]),
        [f"7:25: optimization_flags is an array, {REFUSED}; write an object [type]"],
    ),
    "optimization flags of a cold model": (
        model(without=["url"], optimization_flags={"A": True}),
        [
            '6:25: optimization_flags reach only a warm container that has no url; write "warm": true [ignored]',
        ],
    ),
    "optimization flags of a container that runs already": (
        model(warm=True, optimization_flags={"A": True}),
        [
            "8:25: optimization_flags reach only a warm container that has no url; "
            "set them where the container is started [ignored]",
        ],
    ),
    "a token for a managed container": (
        model(without=["url"], token="a-token"),  # noqa: S106  # it is none
        ["6:12: token is sent only to a container that has a url; take it out, or write the url [ignored]"],
    ),
    "the capacity of a cold model": (
        model(without=["url"], capacity=2),
        ["6:15: capacity has no effect without a url or warm; take it out [ignored]"],
    ),
    "a currency that is converted": (
        model(currency="usd"),
        [
            '7:15: currency is "usd", which go-livepeer converts by a price feed, and stops without one; '
            "give the price in wei, or see that the orchestrator has the feed [price-feed]"
        ],
    ),
    "a key that is nearly one": (
        model(price_per_unti=1),
        ["7:3: go-livepeer ignores the key price_per_unti; did you mean price_per_unit? [unknown-key]"],
    ),
    "a key that is none": (
        model(zzz=1),
        [
            "7:3: go-livepeer ignores the key zzz; it reads pipeline, model_id, url, token, warm, capacity, "
            "optimization_flags, gateway, price_per_unit, pixels_per_unit, currency [unknown-key]"
        ],
    ),
    "a key that is there twice": (
        model().replace('"url"', '"MODEL_ID": "tint", "url"'),
        ["6:3: model_id is said a second time, and the last one counts; keep one [repeated-key]"],
    ),
    "two models of one container": (
        '[{"pipeline": "live-video-to-video", "model_id": "a", "price_per_unit": 0, "url": "http://host:8000"},\n'
        ' {"pipeline": "live-video-to-video", "model_id": "b", "price_per_unit": 0, "url": "http://host:8000/"}]',
        [
            "2:83: url is that of line 1 too, and a container serves one model; "
            "write the url of its own container [shared-url]"
        ],
    ),
}

RUNNERS = {
    "a sound one": (runner(), []),
    "all that is read": (
        runner(
            routing=" label ",
            proxy=True,
            version="1.4.0",
            metadata="é" * 512,
            mode="single_shot",
            gpu={"id": "0", "name": "NVIDIA L40S", "vram_mb": 46068},
            capacity=0,
            price_info={"price": "0.5", "currency": "USD", "unit": "720p"},
            health_url="https://host/health",
            healthy_status_code=204,
        ),
        [],
    ),
    "a GPU by its number": (runner(gpu=0), []),
    "null leaves a field as it is": (runner(gpu=None, mode=None, routing=None, metadata=None, proxy=None), []),
    "a runner at the root": (runner(runner_url="http://host:8000/", healthy_status_code=0), []),
    "no runner": ('{"runners": []}', []),
    "an array": (
        f"[{json.dumps(json.loads(runner())['runners'][0])}]",
        ['1:1: this is an array, and go-livepeer reads an object with runners; write it in {"runners": [ ]} [shape]'],
    ),
    "one runner without its array": (
        '{"runners": {"label": "tint"}}',
        ["1:13: runners is an object, and must be an array; write it in [ ] [shape]"],
    ),
    "a typo of runners": (
        '{"runner": [\n]}',
        [
            '1:1: it has no runners; write {"runners": [ ]} [shape]',
            "1:2: go-livepeer ignores the key runner; did you mean runners? [unknown-key]",
        ],
    ),
    "no label": (runner(without=["label"]), ['3:3: label is missing; write "label": "tint" [required]']),
    "a label with spaces": (runner(label="tint "), ['4:13: label has spaces around it; write "tint" [value]']),
    "a label that is there twice": (
        runner().replace(
            "\n  }\n ]",
            '\n  },\n  {"label": "tint", "runner_url": "http://h", "health_url": "/", '
            '"app": "a", "price_info": {"price": 1}}\n ]',
        ),
        [f'12:13: label "tint" is that of line 4 too, {REFUSED}; write a label of its own [duplicate]'],
    ),
    "a slash in a label that routes": (
        runner(label="org/tint", routing=" label"),
        ['4:13: label "org/tint" has a slash, which routing by label does not allow; write "org--tint" [value]'],
    ),
    "an unknown routing": (
        runner(routing="labels"),
        ['11:15: routing is "labels", which go-livepeer does not have; did you mean label? [value]'],
    ),
    "an unknown mode": (
        runner(mode="Persistent"),
        ['11:12: mode is "Persistent", which go-livepeer does not have; did you mean persistent? [value]'],
    ),
    "no runner_url": (
        runner(without=["runner_url"]),
        ['3:3: runner_url is missing; write "runner_url": "http://localhost:8000" [required]'],
    ),
    "a runner_url that is none": (
        runner(runner_url="host:8000"),
        ['5:18: runner_url is "host:8000", which is not a URL; write it as "http://localhost:8000" [value]'],
    ),
    "no health_url": (
        runner(without=["health_url"]),
        ['3:3: health_url is missing; write "health_url": "/health" [required]'],
    ),
    "a health_url without its slash": (
        runner(health_url="health"),
        ['6:18: health_url is "health", which is not a URL; write it as "http://localhost:8000" [value]'],
    ),
    "a health_url of two slashes": (
        runner(health_url="//host/health"),
        ['6:18: health_url is "//host/health", which is neither a URL nor a path; write "/health" [value]'],
    ),
    "a health_url below a path": (
        runner(runner_url="http://host:8000/tint/"),
        [
            "6:18: health_url is a path below that of runner_url, so go-livepeer asks http://host:8000/tint/health; "
            'write "http://host:8000/tint/health" or "http://host:8000/health", as you mean it [health-url]'
        ],
    ),
    "a status that no answer has": (
        runner(healthy_status_code=20),
        ["11:27: healthy_status_code is 20, which no answer has; write 200 [value]"],
    ),
    "no app": (runner(without=["app"]), ['3:3: app is missing; write "app": "live-video-to-video/tint" [required]']),
    "an app with spaces": (runner(app="tint\n"), ['7:11: app has spaces around it; write "tint" [value]']),
    "a negative capacity": (
        runner(capacity=-1),
        ["11:16: capacity is -1, and must not be negative; write 0 or more [value]"],
    ),
    "metadata that is too long": (
        runner(metadata="é" * 513),
        ["11:16: metadata has 1026 bytes, and go-livepeer takes 1024; make it shorter [value]"],
    ),
    "metadata with half a character": (
        runner(metadata="\ud800"),
        [f"11:16: metadata has U+FFFD in it, which stands for an unreadable character, {REFUSED}; take it out [value]"],
    ),
    "metadata that is no text": (
        runner(metadata={"kit": 1}),
        [f'11:16: metadata is an object, {REFUSED}; write a string, as in "tint" [type]'],
    ),
    "a GPU by its name": (
        runner(gpu="NVIDIA L40S"),
        [
            f'11:11: gpu is "NVIDIA L40S", {REFUSED}; '
            'write a number, or an object as in {"name": "NVIDIA L40S", "vram_mb": 46068} [type]'
        ],
    ),
    "a GPU with a typo": (
        runner(gpu={"vram": 46068}),
        ["12:5: go-livepeer ignores the key vram; did you mean vram_mb? [unknown-key]"],
    ),
    "a GPU with memory in quotes": (
        runner(gpu={"vram_mb": "46068"}),
        [f'12:16: vram_mb is "46068", {REFUSED}; write a whole number, as in 1 [type]'],
    ),
    "no price": (
        runner(without=["price_info"]),
        [
            "3:3: there is no price_info with a price: on-chain go-livepeer refuses the whole file; "
            'write "price_info": {"price": 0.5, "currency": "usd", "unit": "hour"} [on-chain]'
        ],
    ),
    "a price that is null": (
        runner(price_info={"price": None}),
        [
            "8:18: there is no price_info with a price: on-chain go-livepeer refuses the whole file; "
            'write "price_info": {"price": 0.5, "currency": "usd", "unit": "hour"} [on-chain]'
        ],
    ),
    "a price of nothing": (
        runner(price_info={"price": 0}),
        ["9:14: price is 0, and must be above 0; write a price in US dollars [value]"],
    ),
    "a price that is no number": (
        runner(price_info={"price": "cheap"}),
        [f'9:14: price is "cheap", {REFUSED}; write a number, as in 0.5 [type]'],
    ),
    "another currency": (
        runner(price_info={"price": 1, "currency": "wei"}),
        ['10:17: currency is "wei", which go-livepeer does not have; write usd [value]'],
    ),
    "another unit": (
        runner(price_info={"price": 1, "unit": "hours"}),
        ['10:13: unit is "hours", which go-livepeer does not have; did you mean hour? [value]'],
    ),
    "a key that is nearly one": (
        runner(healthy_status=200),
        ["11:4: go-livepeer ignores the key healthy_status; did you mean healthy_status_code? [unknown-key]"],
    ),
}

REGISTRATIONS = {
    "a sound one": ('{"name": "tint", "url": "http://host:8000", "capacity": 1, "price_per_unit": 3000}', []),
    "a fraction as a price": (
        '{"name": "tint", "url": "http://host:8000",\n "price_per_unit": 0.5}',
        [f"2:20: price_per_unit is 0.5, {REFUSED}; write a whole number, as in 1 [type]"],
    ),
    "no name and no url": (
        '{"price_scaling": 1}',
        [
            '1:1: name is missing; write "name": "tint" [required]',
            '1:1: url is missing; write "url": "http://localhost:8000" [required]',
        ],
    ),
    "a currency that is converted": (
        '{"name": "tint", "url": "http://host:8000", "currency": "USD"}',
        [
            '1:57: currency is "USD", which go-livepeer converts by a price feed, and stops without one; '
            "give the price in wei, or see that the orchestrator has the feed [price-feed]"
        ],
    ),
    "several": (
        '[{"name": "tint"}]',
        ["1:1: this is an array, and go-livepeer reads an object; register one at a time [shape]"],
    ),
}


@pytest.mark.parametrize("kind", MODELS)
def test_what_is_wrong_with_models(kind):
    text, findings = MODELS[kind]
    assert said(text) == findings


@pytest.mark.parametrize("kind", RUNNERS)
def test_what_is_wrong_with_runners(kind):
    text, findings = RUNNERS[kind]
    assert said(text, "runners.json" if "runner_url" not in str(text) else "file.json") == findings


@pytest.mark.parametrize("kind", REGISTRATIONS)
def test_what_is_wrong_with_a_registration(kind):
    text, findings = REGISTRATIONS[kind]
    assert said(text) == findings


def test_each_code_is_of_some_finding():
    tables = MODELS, RUNNERS, REGISTRATIONS
    lines = [line for table in tables for _, findings in table.values() for line in findings]
    assert {line.rpartition("[")[2].rstrip("]") for line in lines} == CODES.keys()


@pytest.mark.parametrize(
    ("name", "wanted"), [("my-runners.json", "runners"), ("aiModels.json", "models"), ("a", "models")]
)
def test_a_file_that_says_nothing_is_of_the_format_of_its_name(name, wanted):
    [finding] = check_bytes(b"3", name)
    assert wanted in finding.message


@dataclass(frozen=True)
class Rational:
    """A ``JSONRat`` of go-livepeer."""

    value: float = 0

    @classmethod
    def read_json(cls, value, path) -> Self:
        if isinstance(value, bool) or not isinstance(value, int | float):
            refuse(value, path, "core.JSONRat")
        return cls(value)


@dataclass(frozen=True)
class ModelConfig:
    """``AIModelConfig`` of go-livepeer."""

    pipeline: str = ""
    model_id: str = ""
    url: str = ""
    token: str = ""
    warm: bool = False
    capacity: int = 0
    gateway: str = ""
    price_per_unit: Rational = Rational()
    pixels_per_unit: Rational = Rational(1)
    currency: str = ""


@dataclass(frozen=True)
class ExternalCapability:
    """``ExternalCapability`` of go-livepeer."""

    name: str = ""
    description: str = ""
    url: str = ""
    capacity: int = 0
    price_per_unit: int = 0
    price_scaling: int = 0
    currency: str = ""
    token: str = ""


@pytest.mark.slow
@given(CAPABILITIES, st.booleans(), st.none() | st.just("0" * 64))
def test_what_is_written_of_any_capability_has_nothing_wrong_and_is_read(capability, managed, params_sha256):
    files = render_announcements(capability, managed=managed, kit_version="10.11.12.dev13", params_sha256=params_sha256)
    found = {name: [one.code for one in check_bytes(text.encode(), "file")] for name, text in files.items()}
    is_priced = capability.price_usd_per_hour is not None
    assert found.pop("runners.json") == ([] if is_priced else ["on-chain"])
    assert found.pop("aiModels.json") == []
    assert found.pop("register.json") == []

    [entry] = decode(files["aiModels.json"].encode(), tuple[ModelConfig, ...], only=True)
    assert (entry.pipeline, entry.model_id, entry.warm) == ("live-video-to-video", capability.model_id, capability.warm)
    assert entry.price_per_unit.value == capability.price_per_unit
    assert (entry.url, entry.capacity) == (("", 0) if managed else (capability.url, capability.capacity))
    [runner] = read_static_runners(files["runners.json"].encode())
    assert runner.health_url == f"{capability.url}/health/live-runner"
    assert (runner.app, runner.capacity) == (f"live-video-to-video/{capability.model_id}", capability.capacity)
    assert json.loads(runner.metadata)["model_id"] == capability.model_id
    registered = decode(files["register.json"].encode(), ExternalCapability, only=True)
    assert (registered.name, registered.price_per_unit) == (capability.model_id, capability.price_per_unit)
    if managed:
        assert list(json.loads(files.pop("aiRunnerImageOverrides.json"))["live"]) == [capability.model_id]


ANYTHING = st.none() | st.booleans() | st.integers(-2, 700) | st.just([]) | st.just({}) | st.floats(0, 9)
TEXTS = st.sampled_from(["", " ", "tint", "tint ", "a/b", "label", "single-shot", "\ufffd", "é" * 513, "/health"])
URLS = st.sampled_from(
    ["http://host:8000", "http://host/tint", "//host", "host", "ftp://host", "http://ho st", "http://"]
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "label": TEXTS | ANYTHING,
        "routing": TEXTS | ANYTHING,
        "proxy": ANYTHING,
        "runner_url": URLS | ANYTHING,
        "health_url": URLS | TEXTS,
        "healthy_status_code": ANYTHING,
        "app": TEXTS | ANYTHING,
        "mode": TEXTS | ANYTHING,
        "metadata": TEXTS | ANYTHING,
        "capacity": ANYTHING,
        "gpu": ANYTHING | st.fixed_dictionaries({}, optional={"id": TEXTS, "vram_mb": ANYTHING}),
        "price_info": st.sampled_from([None, {}, {"price": 1}, {"price": "1"}, {"price": "x"}, {"price": []}, 3]),
    },
)
SOUND = {"label": "sound", "runner_url": "http://host", "health_url": "/health", "app": "a"}


@given(st.lists(ENTRIES.map(lambda entry: {**SOUND, **entry}), max_size=2))
def test_an_error_is_what_the_local_orchestrator_refuses(entries):
    data = json.dumps({"runners": entries}).encode()
    errors = [one for one in check_bytes(data, "runners.json") if one.is_error]
    try:
        read_static_runners(data)
    except ByocKitError:
        assert errors
    else:
        assert errors == []
