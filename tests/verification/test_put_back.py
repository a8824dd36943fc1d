import json

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, notebook_json

from byoc_kit.cli import main
from byoc_kit.core.bundle_reader import read_bundle
from byoc_kit.verification.put_back import assets_put_back


@pytest.fixture
def bundle(tmp_path):
    """The bundle of a notebook with two assets."""
    for name in ("a.pt", "b.pt"):
        (tmp_path / name).write_bytes(name.encode())
    assets = "from byoc_kit import asset\nmodels = [asset('a.pt'), asset('b.pt')]"
    cells = [("byoc", source) for source in (CAPABILITY, assets, PROCESS_FRAME)]
    (tmp_path / "effects.ipynb").write_text(notebook_json(*cells))
    assert main(["export", str(tmp_path / "effects.ipynb"), "-o", str(tmp_path / "out"), "--no-hashes"]) == 0
    return read_bundle(tmp_path / "out")


def test_what_a_notebook_overwrites_or_removes_is_put_back_and_named(bundle, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with assets_put_back(bundle, scratch) as changed:
        (tmp_path / "a.pt").write_bytes(b"trained again")
        (tmp_path / "b.pt").unlink()
    assert changed == ["a.pt", "b.pt"]
    assert [(tmp_path / name).read_bytes() for name in changed] == [b"a.pt", b"b.pt"]
    assert not list(scratch.iterdir())  # the bundle has them


def test_an_asset_that_changed_since_the_export_is_put_back_as_it_was_before(bundle, tmp_path):
    (tmp_path / "a.pt").write_bytes(b"newer than the bundle")

    def run_and_stop():
        with assets_put_back(bundle, tmp_path):
            (tmp_path / "a.pt").write_bytes(b"trained again")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_and_stop()
    assert (tmp_path / "a.pt").read_bytes() == b"newer than the bundle"


def test_what_stays_as_it_was_is_not_touched(bundle, tmp_path):
    before = (tmp_path / "a.pt").stat()
    with assets_put_back(bundle, tmp_path) as changed:
        (tmp_path / "b.pt").write_bytes(b"b.pt")
    assert changed == []
    assert (tmp_path / "a.pt").stat() == before
    assert json.loads((bundle.folder / "bundle.json").read_text())["assets"].keys() == {"a.pt", "b.pt"}
