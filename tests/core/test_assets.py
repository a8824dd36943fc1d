import json
import os
import shutil
import sys

import numpy as np
import pytest
from notebook_rig import CAPABILITY, plan_file, write_notebook

import byoc_kit
from byoc_kit.bundle.plan import put_assets, write
from byoc_kit.core.assets import find_asset
from byoc_kit.core.bundle_reader import BundleError, load_processor, read_bundle
from byoc_kit.core.frames import VideoFrame
from byoc_kit.errors import AssetError

__all__ = ["write_notebook"]

USING = "import byoc_kit\n\n\ndef level():\n    return int(byoc_kit.asset('level.txt').read_text())"
PROCESS_FRAME = "def process_frame(frame):\n    return frame.replace(pixels=frame.pixels // level())"
BESIDE = "put the file next to the notebook, and name it relative to that folder"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A notebook's folder with a file in it, as the kernel's working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "level.txt").write_text("3")
    return tmp_path


@pytest.fixture
def export(write_notebook, folder, monkeypatch):
    """Export a notebook that uses an asset; returns its bundle's folder."""
    monkeypatch.delitem(sys.modules, "processor", raising=False)

    def export():
        notebook = write_notebook(cells=[("byoc", source) for source in (USING, PROCESS_FRAME, CAPABILITY)])
        write(plan_file(notebook, folder / "out"))
        return folder / "out"

    yield export
    sys.modules.pop("processor", None)


def process(bundle):
    processor = load_processor(read_bundle(bundle))
    result = processor.process(VideoFrame.from_pixels(np.full((2, 2, 3), 9, np.uint8)), processor.params)
    return int(result.pixels[0, 0, 0])


def said(name):
    with pytest.raises(AssetError) as caught:
        byoc_kit.asset(name)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def contents(bundle):
    return {str(path.relative_to(bundle)): path.read_bytes() for path in bundle.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["level.txt", "./level.txt", "größe 名.txt", "sub/level.txt", "..txt"])
def test_in_a_notebook_a_name_is_relative_to_its_folder(folder, name):
    (folder / "sub").mkdir()
    (folder / name).write_text("4")
    path = byoc_kit.asset(name)
    assert path.is_absolute()
    assert path.read_text() == "4"


def test_a_link_within_the_folder_is_followed(folder):
    (folder / "link").symlink_to("level.txt")
    assert byoc_kit.asset("link").read_text() == "3"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", f"asset '' has no name; {BESIDE}"),
        (".", f"asset . has no name; {BESIDE}"),
        ("no.txt", "asset no.txt is not there; put it next to the notebook, or correct the name"),
        ("no/where.txt", "asset no/where.txt is not there; put it next to the notebook, or correct the name"),
        ("/etc/passwd", f"asset /etc/passwd is an absolute path; {BESIDE}"),
        ("C:\\weights", f"asset C:\\weights is an absolute path; {BESIDE}"),
        ("~/weights", f"asset ~/weights is an absolute path; {BESIDE}"),
        ("a/../../b", f"asset a/../../b leads out of the notebook's folder; {BESIDE}"),
        ("folder", "asset folder is a folder; name each of its files that the model needs"),
        ("out", "asset out is a link that leads out of the notebook's folder; put the file itself there"),
        ("loop", "asset loop is a link to itself; put a file there"),
        ("dangling", "asset dangling is not there; put it next to the notebook, or correct the name"),
        ("pipe", "asset pipe is not a file; put a file there"),
        ("level.txt/x", "asset level.txt/x cannot be read: Not a directory; put a file there"),
        ("a\0b", "asset 'a\\x00b' is not a valid file name; rename it"),
        ("\ud83d", "asset '\\ud83d' is not a valid file name; rename it"),
        ("a\nb\x1b[2J", "asset 'a\\nb\\x1b[2J' is not there; put it next to the notebook, or correct the name"),
        (300 * "x", f"asset {56 * 'x'} ... cannot be read: File name too long; put a file there"),
        (3, f"asset 3 is of type int, but a name is text; {BESIDE}"),
    ],
)
def test_what_cannot_be_an_asset_is_reported(folder, name, text):
    (folder / "folder").mkdir()
    (folder / "out").symlink_to("/etc/passwd")
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nothing")
    os.mkfifo(folder / "pipe")
    assert said(name) == text


def test_a_link_to_a_folder_above_leads_out(folder):
    (folder / "in").mkdir()
    (folder / "in" / "up").symlink_to("..")
    with pytest.raises(AssetError, match="leads out"):
        find_asset(folder / "in", "up/level.txt")


def test_an_exported_module_has_the_bundles_copy(export, folder):
    bundle = export()
    (folder / "level.txt").write_text("1")
    assert process(bundle) == 3
    assert process(shutil.move(bundle, folder / "elsewhere")) == 3


def test_the_manifest_says_what_is_in_each_file(export):
    bundle = export()
    sha256 = "4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce"
    assert json.loads((bundle / "bundle.json").read_text())["assets"] == {"level.txt": {"sha256": sha256, "size": 1}}
    assert (bundle / "assets" / f"{sha256}.txt").read_text() == "3"


@pytest.mark.parametrize("change", ["4", "33", ""])
def test_a_changed_copy_is_refused(export, change):
    bundle = export()
    [copy] = (bundle / "assets").iterdir()
    assert process(bundle) == 3
    copy.write_text(change)
    with pytest.raises(AssetError) as caught:
        process(bundle)
    assert str(caught.value) == (
        f"asset level.txt is not the file that was exported: {copy} has changed; export the notebook again"
    )


def test_a_missing_copy_is_named(export):
    bundle = export()
    shutil.rmtree(bundle / "assets")
    with pytest.raises(AssetError) as caught:
        process(bundle)
    assert str(caught.value) == (f"asset level.txt is missing in {bundle / 'assets'}; export the notebook again")


@pytest.mark.parametrize(
    ("assets", "text"),
    [
        ({}, "asset level.txt is not in this bundle, according to its bundle.json; export the notebook again"),
        ({"level.txt": 3}, "asset level.txt cannot be found, since bundle.json is damaged; export the notebook again"),
        ({"level.txt": {"sha256": 3}}, "is missing in"),
        ([], "bundle.json is damaged; export the notebook again"),
    ],
)
def test_a_manifest_that_does_not_say_it_is_an_error(export, assets, text):
    bundle = export()
    manifest = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps({**manifest, "assets": assets}))
    with pytest.raises(byoc_kit.errors.ByocKitError) as caught:
        process(bundle)
    assert text in str(caught.value)


def test_exporting_again_changes_no_byte_and_copies_nothing(export):
    bundle = export()
    before = contents(bundle)
    [copy] = (bundle / "assets").iterdir()
    inode = copy.stat().st_ino
    export()
    assert contents(bundle) == before
    assert copy.stat().st_ino == inode


def test_exporting_again_mends_the_copy_and_removes_the_old_one(export, folder):
    bundle = export()
    [first] = (bundle / "assets").iterdir()
    first.write_text("spoilt")
    (bundle / "assets" / "notes.md").write_text("mine")
    export()
    assert first.read_text() == "3"
    (folder / "level.txt").write_text("5")
    export()
    assert not first.exists()
    assert sorted(path.suffix for path in (bundle / "assets").iterdir()) == [".md", ".txt"]
    assert process(bundle) == 1


def test_a_notebook_without_assets_any_more_leaves_none(export, write_notebook, folder):
    bundle = export()
    write(plan_file(write_notebook(), bundle))
    assert not (bundle / "assets").exists()


def test_a_file_that_changes_while_it_is_exported_is_refused(write_notebook, export, folder):
    bundle = export()
    before = contents(bundle)
    (folder / "level.txt").write_text("7")
    planned = plan_file(folder / "effects.ipynb", bundle)
    (folder / "level.txt").write_text("8")
    with pytest.raises(BundleError, match=r"level\.txt changed while it was exported; export again"):
        write(planned)
    assert contents(bundle) == before


def test_a_link_in_place_of_the_assets_is_not_followed(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "assets").symlink_to(tmp_path / "mine")
    (tmp_path / "empty").write_text("")
    sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    put_assets({f"assets/{sha256}": tmp_path / "empty"}, tmp_path / "bundle")
    assert list((tmp_path / "mine").iterdir()) == []
    assert (tmp_path / "bundle" / "assets" / sha256).read_bytes() == b""
