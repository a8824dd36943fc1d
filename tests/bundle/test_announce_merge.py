import json
import shutil
from pathlib import Path

import pytest
from capabilities_rig import CAPABILITIES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from notebook_rig import PROCESS_FRAME, notebook_json, plan_file

from byoc_kit.bundle.announce import render_announcements
from byoc_kit.bundle.announce_check import check_file
from byoc_kit.bundle.announce_merge import Merged, image_overrides, merge
from byoc_kit.bundle.plan import write
from byoc_kit.errors import ByocKitError

# As an operator writes: in an order and a form of their own, with what a bundle does not say.
MODELS = """\
[
    {"model_id": "other", "pipeline": "llm", "price_per_unit": 1.50,   "comment": "keep"},
    {
        "pipeline": "live-video-to-video",
        "model_id": "tint", "token": "a-token"
    },
    {"model_id": "tint", "pipeline": "llm"}
]
"""
RUNNERS = '{"note": 1e3, "Runners":[ {"label": "other"},\r\n  {"label": "tint"} ]}\r\n'


@pytest.fixture(scope="module")
def tint(tmp_path_factory):
    """A bundle of the model `tint`."""
    return exported(tmp_path_factory.mktemp("tint"), "tint")


@pytest.fixture(scope="module")
def grade(tmp_path_factory):
    """A managed bundle of the model `org/grade`."""
    return exported(tmp_path_factory.mktemp("grade"), "org/grade", managed=True)


def exported(folder, model_id, *, managed=False):
    notebook = folder / "effects.ipynb"
    capability = f'from byoc_kit import Capability\ncapability = Capability(model_id="{model_id}")'
    notebook.write_text(notebook_json(("byoc", capability), ("byoc", PROCESS_FRAME)))
    write(plan_file(notebook, folder / "bundle", with_hashes=False, managed=managed))
    return folder / "bundle"


def entry_of(bundle, name="aiModels.json", *, margin=""):
    """Return a bundle's entry as it is written, with a margin."""
    document = json.loads((bundle / name).read_bytes())
    [entry] = document["runners"] if name == "runners.json" else document
    return json.dumps(entry, indent=2).replace("\n", "\n" + margin)


def test_an_entry_takes_the_place_of_the_one_of_its_model_and_the_rest_stays(tint, tmp_path):
    path = tmp_path / "aiModels.json"
    path.write_text(MODELS)
    assert merge(path, [tint]) == [Merged("tint", is_new=False, lost=("token",))]
    before, rest = MODELS[: MODELS.index("{\n")], MODELS[MODELS.index("\n    },") + len("\n    }") :]
    assert path.read_text() == before + entry_of(tint, margin="    ") + rest


def test_an_entry_of_a_new_model_comes_last(tint, grade, tmp_path):
    path = tmp_path / "aiModels.json"
    path.write_text(MODELS)
    assert merge(path, [grade]) == [Merged("org/grade", is_new=True)]
    assert path.read_text() == f"{MODELS[:-3]},\n    {entry_of(grade, margin='    ')}\n]\n"


def test_a_runner_takes_the_place_of_the_one_of_its_label(tint, grade, tmp_path):
    path = tmp_path / "mine.json"
    path.write_bytes(RUNNERS.encode())
    assert merge(path, [tint, grade]) == [Merged("tint", is_new=False), Merged("org--grade", is_new=True)]
    added = f"{entry_of(tint, 'runners.json', margin='  ')},\n{entry_of(grade, 'runners.json')}".replace("\n", "\r\n")
    assert path.read_bytes().decode() == RUNNERS.replace('{"label": "tint"}', added)


@pytest.mark.parametrize("text", [None, "", "\n", "[]", "[ ]\n"])
def test_a_file_is_made_or_filled(tint, grade, tmp_path, text):
    path = tmp_path / "aiModels.json"
    if text is not None:
        path.write_text(text)
    merge(path, [tint, grade])
    assert [one["model_id"] for one in json.loads(path.read_bytes())] == ["tint", "org/grade"]
    assert path.read_text().startswith((tint / "aiModels.json").read_text().removesuffix("\n]\n"))
    assert check_file(path) == []


def test_a_file_of_runners_is_told_by_its_name(tint, tmp_path):
    merge(tmp_path / "my-runners.json", [tint])
    assert (tmp_path / "my-runners.json").read_bytes() == (tint / "runners.json").read_bytes()


@pytest.mark.parametrize("name", ["aiModels.json", "runners.json"])
def test_merging_again_changes_no_byte(tint, grade, tmp_path, name):
    path = tmp_path / name
    path.write_text({"aiModels.json": MODELS, "runners.json": RUNNERS}[name])
    merge(path, [tint, grade])
    once = path.read_bytes()
    assert [one.is_new for one in merge(path, [grade, tint])] == [False, False]
    assert path.read_bytes() == once


@pytest.fixture(scope="module")
def renamed(tint, tmp_path_factory):
    """Make a bundle announce another capability."""
    folders = {name: shutil.copytree(tint, tmp_path_factory.mktemp("bundles") / name) for name in "abc"}

    def rename(name, capability, *, managed):
        for file, text in render_announcements(capability, managed=managed, kit_version="0.1.0").items():
            (folders[name] / file).write_text(text)
        return folders[name]

    return rename


@given(
    st.lists(CAPABILITIES, min_size=1, max_size=3), st.sampled_from(["aiModels.json", "runners.json"]), st.booleans()
)
@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_any_bundles_each_model_is_there_once_in_the_order_they_came(renamed, tmp_path, capabilities, name, managed):
    path = tmp_path / name
    path.unlink(missing_ok=True)
    bundles = [renamed(folder, one, managed=managed) for folder, one in zip("abc", capabilities, strict=False)]
    merge(path, bundles)
    once = path.read_bytes()
    merge(path, bundles)
    assert path.read_bytes() == once
    document = json.loads(once)
    entries = document["runners"] if name == "runners.json" else document
    last = {one.model_id: (bundle / name).read_bytes() for one, bundle in zip(capabilities, bundles, strict=True)}
    alone = [json.loads(data) for data in last.values()]
    assert entries == [one["runners"][0] if name == "runners.json" else one[0] for one in alone]
    assert [one for one in check_file(path) if one.is_error] == []


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("models.json", "[\n1,]", "models.json, line 2, column 2: this is not valid JSON: a comma before ]"),
        ("models.json", '{"model_id": "a"}', "models.json, line 1, column 1: go-livepeer would not read it; see"),
        ("runners.json", "{}", "runners.json, line 1, column 1: go-livepeer would not read it; see"),
        ("runners.json", '{"runners":\n{}}', "runners.json, line 2, column 1: go-livepeer would not read it; see"),
        ("models.json", '["\xe9"]'.encode("latin-1"), "models.json: it is not UTF-8; save it as plain UTF-8"),
        ("register.json", '{"name": "a"}', "is neither an aiModels.json nor a runners.json; name it so"),
        ("mine.json", None, "is neither an aiModels.json nor a runners.json; name it so"),
        ("models.json", MODELS.replace("llm", "live-video-to-video"), "several entries of tint, in the lines 3 and 7"),
    ],
)
def test_a_file_that_cannot_be_merged_into_is_left_as_it_is(tint, tmp_path, name, text, said):
    path = tmp_path / name
    before = text if isinstance(text, bytes | None) else text.encode()
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(ByocKitError) as raised:
        merge(path, [tint])
    assert said in str(raised.value)
    assert (path.read_bytes() if path.exists() else None) == before


def test_nothing_is_written_where_one_bundle_has_none(tint, tmp_path):
    with pytest.raises(ByocKitError, match="is not a bundle"):
        merge(tmp_path / "aiModels.json", [tint, tmp_path])
    old = shutil.copytree(tint, tmp_path / "old")
    (old / "runners.json").unlink()
    with pytest.raises(ByocKitError, match=r"old has no runners\.json; export the notebook again"):
        merge(tmp_path / "runners.json", [old])
    assert not list(tmp_path.glob("*.json"))


def test_a_disk_that_is_full_leaves_the_file_as_it_was(tint, tmp_path, monkeypatch):
    path = tmp_path / "aiModels.json"
    path.write_text(MODELS)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ByocKitError, match=r"cannot write .*: No space left on device; it is as it was"):
        merge(path, [tint])
    assert [one.read_text() for one in tmp_path.iterdir()] == [MODELS]


def test_the_images_of_managed_models_are_known(tint, grade, tmp_path):
    for name, wanted in (("aiModels.json", {"org/grade": "byoc/org-grade:latest"}), ("runners.json", {})):
        merge(tmp_path / name, [tint, grade])
        assert image_overrides(tmp_path / name) == wanted
