"""Nothing that somebody changed in a bundle's folder is lost without a word."""

import json
import shutil
from pathlib import Path

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, notebook_json, plan_file

from byoc_kit.bundle.drift import compare
from byoc_kit.bundle.manifest import edited_files
from byoc_kit.bundle.plan import write
from byoc_kit.bundle.sync import sync
from byoc_kit.cli import main
from byoc_kit.core.bundle_reader import BundleError, read_bundle
from byoc_kit.verification.run import why_bundle_is_stale

PARAMS = "import byoc_kit\nclass Params(byoc_kit.Params):\n    gain: float = 1"
PROCESS = "def process_frame(frame, params: Params):\n    return frame"


@pytest.fixture
def exported(write_notebook, tmp_path):
    """A notebook and its bundle."""
    notebook = write_notebook(cells=[("byoc", source) for source in (PARAMS, CAPABILITY, PROCESS)])
    target = tmp_path / "out" / "effects"
    write(plan_file(notebook, target))
    return notebook, target


def edit(path):
    if path.suffix != ".json":
        path.write_text(path.read_text() + "# mine\n")
        return
    content = json.loads(path.read_text())
    (content[0] if isinstance(content, list) else content)["mine"] = 1
    path.write_text(json.dumps(content))


def state(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_fresh_bundle_is_unedited(exported):
    assert edited_files(exported[1]) == []


def test_a_checkout_with_crlf_line_ends_is_no_edit(exported):
    notebook, target = exported
    for path in [*filter(Path.is_file, target.iterdir()), notebook]:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert edited_files(target) == []
    assert why_bundle_is_stale(read_bundle(target)) is None
    assert not compare(plan_file(notebook, target))
    assert sync(target).is_written is False
    edit(target / "processor.py")
    assert edited_files(target) == ["processor.py"]
    write(plan_file(notebook, target), force=True)
    assert b"\r" not in (target / "processor.py").read_bytes()


def test_every_file_that_an_export_writes_is_kept_where_it_was_edited(exported):
    notebook, target = exported
    for name in state(target):
        edit(target / name)
        assert edited_files(target) == [name]
        before = state(target)
        with pytest.raises(BundleError, match=rf"{name} in \S+ was edited since the export; .*--force` overwrites it$"):
            write(plan_file(notebook, target))
        assert state(target) == before
        write(plan_file(notebook, target), force=True)
        assert edited_files(target) == []


def test_the_command_says_who_takes_an_edit_back_and_force_overwrites_it(exported, capsys):
    notebook, target = exported
    edit(target / "processor.py")
    arguments = ["export", str(notebook), "-o", str(target)]
    assert main(arguments) == 2
    assert capsys.readouterr().err == (
        f"byoc-kit: processor.py in {target} was edited since the export; `byoc-kit sync {target}` takes it back, "
        "`byoc-kit export --force` overwrites it\n"
    )
    assert main([*arguments, "--force"]) == 0
    assert "# mine" not in (target / "processor.py").read_text()


def test_an_edit_that_the_notebook_has_too_is_none_that_is_lost(exported):
    notebook, target = exported
    module = target / "processor.py"
    module.write_text(module.read_text().replace("return frame", "return None"))
    notebook.write_text(notebook.read_text().replace("return frame", "return None"))
    write(plan_file(notebook, target))


def test_a_file_that_is_gone_is_no_edit(exported):
    notebook, target = exported
    for name in ("processor.py", "Dockerfile"):
        (target / name).unlink()
    write(plan_file(notebook, target))
    assert (target / "processor.py").is_file()


@pytest.mark.parametrize("manifest", ["{", '{"name": "effects"}', "[]"])
def test_where_the_manifest_says_nothing_the_source_map_tells_of_edits(exported, manifest):
    notebook, target = exported
    (target / "bundle.json").write_text(manifest)
    assert edited_files(target) == []
    edit(target / "processor.py")
    assert edited_files(target) == ["processor.py"]
    with pytest.raises(BundleError, match=r"processor\.py in \S+ was edited since the export"):
        write(plan_file(notebook, target))


def test_where_nothing_says_what_was_exported_the_module_is_kept(exported):
    notebook, target = exported
    (target / "bundle.json").write_text("{")
    (target / "processor.map.json").write_text("{")
    edit(target / "processor.py")
    with pytest.raises(BundleError, match=r"processor\.py"):
        write(plan_file(notebook, target))


def test_the_bundle_of_another_notebook_is_left_alone(exported, tmp_path):
    notebook, target = exported
    other = tmp_path / "other" / "effects.ipynb"
    other.parent.mkdir()
    shutil.copy(notebook, other)
    with pytest.raises(BundleError, match=r"is the bundle of \.\./\.\./effects\.ipynb; choose another folder"):
        write(plan_file(other, target))
    notebook.unlink()  # it was moved
    write(plan_file(other, target))


def test_verify_names_what_is_not_as_the_notebook_says(write_notebook, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"weights")
    asset = "from byoc_kit import asset\nweights = asset('a.bin')"
    cells = [asset, CAPABILITY, PROCESS_FRAME]
    notebook, target = write_notebook(cells=[("byoc", one) for one in cells]), tmp_path / "effects"
    write(plan_file(notebook, target))
    bundle = read_bundle(target)
    assert why_bundle_is_stale(bundle) is None
    (tmp_path / "a.bin").write_bytes(b"others!")
    assert why_bundle_is_stale(bundle) == "a.bin has changed since the export; export effects.ipynb again"
    (tmp_path / "a.bin").write_bytes(b"weights")
    edit(target / "processor.py")
    assert why_bundle_is_stale(bundle) == (
        f"processor.py was edited since the export; `byoc-kit sync {target}` takes it back to effects.ipynb"
    )
    (target / "processor.py").unlink()
    assert why_bundle_is_stale(bundle) == "effects.ipynb has changed since the export; export it again"
    write(plan_file(notebook, target))
    notebook.write_text(notebook_json(("markdown", "# Tint"), *(("byoc", one) for one in cells)))
    assert why_bundle_is_stale(bundle) == "effects.ipynb has changed since the export; export it again"
    notebook.unlink()
    assert why_bundle_is_stale(bundle).startswith("the notebook cannot be compared: there is no notebook")
