import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, plan_file

import byoc_kit
from byoc_kit.bundle.drift import compare, drift
from byoc_kit.bundle.manifest import render_manifest
from byoc_kit.bundle.plan import Plan, plan, plan_again, write
from byoc_kit.core.bundle_reader import BundleError, read_bundle
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.notebook_file import NotebookError, read_notebook

FILES = [
    "processor.py",
    "processor.map.json",
    "requirements.lock",
    "sbom.cdx.json",
    "Dockerfile",
    ".dockerignore",
    "aiModels.json",
    "runners.json",
    "register.json",
    "bundle.json",
]


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def old(tmp_path):
    """A bundle of an earlier export, with a person's notes and wheels."""
    target = tmp_path / "out" / "effects"
    (target / "wheels").mkdir(parents=True)
    for name in (*FILES, "notes.md", "wheels/byoc_kit-0.0.1-py3-none-any.whl"):
        (target / name).write_text(f"old {name}")
    files = {name: f"old {name}".encode() for name in FILES if name != "bundle.json"}
    (target / "bundle.json").write_text(render_manifest({"name": "effects"}, files))
    (target / "link").symlink_to("notes.md")
    return target


def test_a_plan_writes_nothing(write_notebook, tmp_path):
    planned = plan_file(write_notebook(), tmp_path / "out" / "effects")
    assert list(planned.files) == FILES
    assert not (tmp_path / "out").exists()


def test_a_written_bundle_can_be_read(write_notebook, tmp_path):
    write(plan_file(write_notebook(), tmp_path / "out" / "effects"))
    bundle = read_bundle(tmp_path / "out" / "effects")
    assert (bundle.name, bundle.model_id) == ("effects", "tint")
    assert bundle.notebook.resolve() == tmp_path / "effects.ipynb"


def test_the_way_to_the_notebook_holds_through_links(write_notebook, tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "link").symlink_to("deep/er")
    write(plan_file(write_notebook(), tmp_path / "link" / "effects"))
    assert read_bundle(tmp_path / "link" / "effects").notebook.read_bytes() == (tmp_path / "effects.ipynb").read_bytes()


def test_what_is_imported_in_notebooks_only_is_not_locked(write_notebook, tmp_path):
    guarded = "try:\n    import IPython\nexcept ImportError:\n    IPython = None"
    planned = plan_file(write_notebook(guarded, "import numpy"), tmp_path / "effects")
    locked = planned.files["requirements.lock"].decode()
    assert "\nnumpy==" in locked
    assert "ipython==" not in locked


def test_writing_twice_changes_no_byte(write_notebook, tmp_path):
    target = tmp_path / "out" / "effects"
    write(plan_file(write_notebook(), target))
    before = contents(target)
    write(plan_file(tmp_path / "effects.ipynb", target))
    assert contents(target) == before


def test_what_is_not_part_of_the_bundle_stays(write_notebook, old):
    planned = plan_file(write_notebook(), old)
    write(planned)
    after = contents(old)
    assert {name: after[name] for name in FILES} == planned.files
    assert after["notes.md"] == b"old notes.md"
    assert after["wheels/byoc_kit-0.0.1-py3-none-any.whl"].startswith(b"old")
    assert (old / "link").is_symlink()
    assert names(old.parent) == ["effects"]


def test_a_link_to_a_bundle_stays_a_link(write_notebook, old, tmp_path):
    link = tmp_path / "latest"
    link.symlink_to(old)
    write(plan_file(write_notebook(), link))
    assert link.is_symlink()
    assert (old / "processor.py").read_bytes() == (link / "processor.py").read_bytes() != b"old processor.py"


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        (Path, "mkdir", 1),
        (Path, "write_bytes", 0),
        (Path, "write_bytes", 3),
        (Path, "unlink", 2),
        (Path, "rename", 0),
        (Path, "rename", 1),
        (shutil, "copytree", 0),
    ],
)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_at_any_step_leaves_the_old_bundle_whole(write_notebook, old, monkeypatch, owner, name, call, error):
    planned = plan_file(write_notebook(), old)
    before = contents(old)
    real, calls = getattr(owner, name), []

    def failing(*arguments, **options):
        calls.append(name)
        if len(calls) == call + 1:
            raise error
        return real(*arguments, **options)

    monkeypatch.setattr(owner, name, failing)
    with pytest.raises((BundleError, KeyboardInterrupt)) as caught:
        write(planned)
    monkeypatch.undo()
    assert contents(old) == before
    assert names(old.parent) == ["effects"]
    if isinstance(error, OSError):
        assert str(caught.value) == (
            f"cannot write {old}: No space left on device; choose another folder with --output"
        )


def test_who_stands_in_the_bundle_stays_in_it(write_notebook, old, monkeypatch):
    notebook = write_notebook()
    write(plan_file(notebook, old.parent / "other"))
    monkeypatch.chdir(old)
    write(plan_file(notebook, Path()))
    here = contents(Path())
    assert here["notes.md"] == b"old notes.md"
    assert {name: here[name] for name in FILES} == contents(old.parent / "other")
    assert names(old.parent) == ["effects", "other"]


@pytest.mark.parametrize("call", [0, 3, 15])
def test_a_failure_in_the_bundle_that_one_stands_in_leaves_it_whole(write_notebook, old, monkeypatch, call):
    planned = plan_file(write_notebook(), old)
    before, real, calls = contents(old), Path.rename, []

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) == call + 1:
            raise OSError(28, "No space left on device")
        return real(*arguments)

    monkeypatch.chdir(old)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", failing)
        with pytest.raises(BundleError):
            write(planned)
    assert contents(Path()) == before
    assert names(old.parent) == ["effects"]


def test_a_failure_of_the_first_export_leaves_nothing(write_notebook, tmp_path):
    target = tmp_path / "out" / "effects"
    planned = plan_file(write_notebook(), target)
    with pytest.raises(BundleError):
        write(Plan(target, {**planned.files, "no/such/folder": b""}))
    assert names(tmp_path / "out") == []


def test_files_are_copied_where_links_do_not_work(write_notebook, old, monkeypatch):
    def refuse(*_, **__):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    write(plan_file(write_notebook(), old))
    assert (old / "notes.md").read_text() == "old notes.md"


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_target_that_is_no_bundle_is_left_alone(write_notebook, tmp_path, kind):
    target = tmp_path / "out"
    if kind == "file":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "thesis.tex").write_text("mine")
    with pytest.raises(BundleError) as caught:
        write(plan_file(write_notebook(), target))
    assert str(caught.value) == (
        f"{target} exists and is not a bundle; choose another folder with --output, or remove it"
    )


def test_an_empty_folder_becomes_a_bundle(write_notebook, tmp_path):
    (tmp_path / "out").mkdir()
    write(plan_file(write_notebook(), tmp_path / "out"))
    assert names(tmp_path / "out") == sorted(FILES)


@pytest.mark.parametrize("target", ["/proc/effects", "/dev/null/effects"])
def test_a_target_that_cannot_be_written_is_named(write_notebook, target):
    with pytest.raises(BundleError) as caught:
        write(plan_file(write_notebook(), Path(target)))
    assert str(caught.value).startswith(f"cannot write {target}: ")
    assert str(caught.value).endswith("; choose another folder with --output")


def test_a_missing_module_is_named_with_its_cell(write_notebook, tmp_path):
    (tmp_path / "helpers.py").write_text("")
    cells = [
        ("markdown", "# Effects"),
        ("byoc", CAPABILITY),
        ("byoc", f"{PROCESS_FRAME}\n\nimport no_such_module, helpers"),
        ("byoc", "import no_such_module.deeper"),
    ]
    with pytest.raises(NotebookError) as caught:
        plan_file(write_notebook(cells=cells), tmp_path / "out")
    assert str(caught.value).splitlines() == [
        "effects.ipynb, cell 3, line 4: no installed distribution provides the module no_such_module "
        "(also cell 4, line 1); install it in this environment with pip [missing-module]",
        "effects.ipynb, cell 3, line 4: no installed distribution provides the module helpers; it lies beside the "
        "notebook and is not exported; install it with pip from a folder with a pyproject.toml, or move what you use "
        "of it to a tagged cell [missing-module]",
    ]


def test_an_optional_module_that_is_missing_is_left_out(write_notebook, tmp_path):
    source = "try:\n    import no_such_module\nexcept ImportError:\n    no_such_module = None"
    lock = plan_file(write_notebook(source), tmp_path / "out").files["requirements.lock"].decode()
    assert [line for line in lock.splitlines() if "no_such" in line] == [
        "# Without no_such_module, which no installed distribution provides."
    ]


def test_a_runner_is_announced_with_the_hash_of_its_schema(write_notebook, tmp_path):
    params = "import byoc_kit\nclass Params(byoc_kit.Params):\n    gain: float = 1"
    cells = params, CAPABILITY, "def process_frame(frame, params: Params):\n    return frame"
    files = plan_file(write_notebook(cells=[("byoc", source) for source in cells]), tmp_path / "out").files
    [runner] = json.loads(files["runners.json"])["runners"]
    assert json.loads(runner["metadata"]) == {
        "byoc_kit": byoc_kit.__version__,
        "model_id": "tint",
        "params_sha256": hashlib.sha256(files["params.schema.json"]).hexdigest(),
    }


def test_a_managed_bundle_stays_one_until_asked_otherwise(write_notebook, tmp_path):
    analysis, target = Analysis(read_notebook(write_notebook())), tmp_path / "effects"
    write(plan_again(analysis, target, with_hashes=False, managed=True))
    again = plan_again(analysis, target)
    assert {name: (target / name).read_bytes() for name in again.files} == again.files
    assert json.loads((target / "aiRunnerImageOverrides.json").read_bytes()) == {"live": {"tint": "byoc/tint:latest"}}
    assert not drift(analysis, target)

    external = plan_again(analysis, target, managed=False)
    assert compare(external).files == ("aiModels.json", "bundle.json", "aiRunnerImageOverrides.json")
    write(external)
    assert not (target / "aiRunnerImageOverrides.json").exists()


def test_another_kit_alone_makes_no_bundle_stale(write_notebook, tmp_path, monkeypatch):
    analysis, target = Analysis(read_notebook(write_notebook())), tmp_path / "effects"
    write(plan(analysis, target, with_hashes=False))
    manifest = json.loads((target / "bundle.json").read_bytes())
    for name in ("bundle.json", "runners.json"):
        text = (target / name).read_text()
        (target / name).write_text(text.replace(manifest["kit_version"], "0.0.9"))
    assert not drift(analysis, target)
