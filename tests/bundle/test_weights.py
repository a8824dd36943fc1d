import json
import sys

import numpy as np
import pytest
from notebook_rig import CAPABILITY, plan_file
from remote_rig import REPO, cache, hub, server

from byoc_kit.bundle import weights
from byoc_kit.bundle.drift import compare, why_bundle_is_stale
from byoc_kit.bundle.plan import write
from byoc_kit.core.bundle_reader import BundleError, load_processor, read_bundle
from byoc_kit.core.frames import VideoFrame
from byoc_kit.errors import AssetError

__all__ = ["cache", "hub", "server"]

PROCESS_FRAME = "def process_frame(frame):\n    return frame.replace(pixels=frame.pixels // level())"


@pytest.fixture
def export(write_notebook, tmp_path, monkeypatch):
    """Export a notebook with a remote asset; returns the bundle's folder."""
    monkeypatch.delitem(sys.modules, "processor", raising=False)

    def export(name, **options):
        using = f"import byoc_kit\n\n\ndef level():\n    return int(byoc_kit.asset({name!r}).read_text())"
        notebook = write_notebook(cells=[("byoc", source) for source in (using, PROCESS_FRAME, CAPABILITY)])
        planned = plan_file(notebook, tmp_path / "out", **options)
        write(planned)
        return planned

    yield export
    sys.modules.pop("processor", None)


@pytest.fixture
def url(server, cache):
    server.files["/level.txt"] = b"3"
    return f"{server.url}/level.txt"


def process(bundle):
    processor = load_processor(read_bundle(bundle))
    result = processor.process(VideoFrame.from_pixels(np.full((2, 2, 3), 9, np.uint8)), processor.params)
    return int(result.pixels[0, 0, 0])


def locked_names(planned):
    return [line.partition("==")[0] for line in planned.files["requirements.lock"].decode().splitlines()]


def baked(planned):
    folder = planned.target / "weights"
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def test_small_weights_are_baked_and_found_without_network(export, url, server, cache, monkeypatch):
    planned = export(url)
    assert baked(planned) == [b"3"]
    server.files.clear()
    monkeypatch.setenv("BYOC_KIT_CACHE", str(cache.with_name("other")))
    assert process(planned.target) == 3
    assert why_bundle_is_stale(read_bundle(planned.target)) is None
    (planned.target / "assets.json").unlink()
    assert "assets.json in" in why_bundle_is_stale(read_bundle(planned.target))


def test_large_weights_are_fetched_by_the_container(export, url, server, cache, monkeypatch):
    monkeypatch.setattr(weights, "BAKED_BELOW", 1)
    planned = export(url)
    assert baked(planned) == []
    monkeypatch.setenv("BYOC_KIT_CACHE", str(cache.with_name("other")))
    server.asked.clear()
    assert process(planned.target) == 3
    assert [path for _, path, _ in server.asked] == ["/level.txt"]


def test_what_was_chosen_stays_chosen(export, url, tmp_path):
    export(url, bake_weights=False)
    assert json.loads((tmp_path / "out" / "bundle.json").read_text())["bake_weights"] is False


def test_a_folder_of_the_hub_is_baked_with_its_names(export, hub, cache, monkeypatch):
    hub.put(level__txt=b"3")
    planned = export(f"hf://{REPO}@main/level.txt")
    assert "huggingface-hub" not in locked_names(planned)
    hub.files.clear()
    monkeypatch.setenv("BYOC_KIT_CACHE", str(cache.with_name("other")))
    assert process(planned.target) == 3


def test_the_hubs_package_is_locked_where_the_container_fetches_of_the_hub(export, hub, cache):
    hub.put(level__txt=b"3")
    planned = export(f"hf://{REPO}@main/level.txt", bake_weights=False, with_hashes=False)
    assert "huggingface-hub" in locked_names(planned)


def test_the_next_export_takes_out_what_is_no_longer_named(export, url, tmp_path, server):
    export(url)
    server.files["/other.txt"] = b"9"
    planned = export(f"{server.url}/other.txt")
    assert baked(planned) == [b"9"]
    assert len(list((planned.target / "weights" / "web").iterdir())) == 1
    planned = export(f"{server.url}/other.txt", bake_weights=False)
    assert not (planned.target / "weights").exists()


def test_a_changed_file_of_the_bundle_is_drift(export, url):
    planned = export(url)
    (path,) = (path for path in (planned.target / "weights").rglob("*") if path.is_file())
    path.write_bytes(b"4")
    assert f"{path} is missing, or is not what the export locked" in compare(planned).diff
    write(planned)
    assert baked(planned) == [b"3"]


def test_what_cannot_be_fetched_ends_the_export_and_writes_nothing(export, server, cache, tmp_path):
    with pytest.raises(AssetError, match="is gone: its server answers 404"):
        export(f"{server.url}/level.txt")
    assert not (tmp_path / "out").exists()


def test_a_cache_that_changed_meanwhile_ends_the_export(export, url, cache, monkeypatch):
    monkeypatch.setattr(weights, "resolve", lambda name, resolve=weights.resolve: changed(resolve(name), cache))
    with pytest.raises(BundleError, match="changed while it was exported"):
        export(url)


def changed(asset, cache):
    asset.path_in(cache).write_bytes(b"4")
    return asset
