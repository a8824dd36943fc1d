import errno
import logging
import threading
import time

import pytest
from remote_rig import COMMIT, REPO

import byoc_kit
from byoc_kit.errors import AssetError
from byoc_kit.remote import fetch
from byoc_kit.remote.fetch import find_in_bundle, resolve
from byoc_kit.remote.locked import ASSETS, render_lock
from byoc_kit.remote.names import parse_remote
from byoc_kit.remote.progress import Progress, progress_text
from byoc_kit.remote.store import only_one

DEADLINE_S = 20
MODEL = f"hf://{REPO}@main/model.bin"
FOLDER = f"hf://{REPO}@main"


@pytest.fixture
def url(server, cache):
    server.files["/model.bin"] = b"weights"
    return f"{server.url}/model.bin"


@pytest.fixture
def bundle(tmp_path):
    """Lock assets in a bundle's folder, and forget the cache."""

    def locked(*names):
        folder = tmp_path / "bundle"
        folder.mkdir()
        (folder / ASSETS).write_text(render_lock({name: resolve(name) for name in names}))
        return folder

    return locked


def said(act, *arguments):
    with pytest.raises(AssetError) as caught:
        act(*arguments)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_in_a_notebook_a_url_is_fetched_once(url, server):
    first = byoc_kit.asset(url)
    server.files.clear()
    assert byoc_kit.asset(url) == first
    assert first.read_bytes() == b"weights"
    assert first.name == "model.bin"
    assert len(server.asked) == 1


def test_two_who_want_the_same_file_fetch_it_once(url, server):
    paths = []
    threads = [threading.Thread(target=lambda: paths.append(byoc_kit.asset(url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(paths)) == 1
    assert len(server.asked) == 1


def test_who_waits_for_another_process_says_so(url, server, cache, caplog, monkeypatch):
    monkeypatch.setattr("byoc_kit.remote.progress._is_watched", lambda: False)  # a test before may have left a shell
    paths = []
    waiting = threading.Thread(target=lambda: paths.append(byoc_kit.asset(url)))
    with only_one(cache, parse_remote(url)), caplog.at_level(logging.INFO):
        waiting.start()
        until(lambda: f"waiting for another process, which fetches {url}" in caplog.text)
        assert server.asked == []
    waiting.join()
    assert paths[0].read_bytes() == b"weights"


def until(is_so):
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_full_disk_is_said_for_the_hub_too(hub, cache, monkeypatch):
    import huggingface_hub

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    hub.put(model__bin=b"weights")
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", full)
    assert "No space left on device; make room there, or let BYOC_KIT_CACHE name" in said(byoc_kit.asset, MODEL)


def test_a_cache_that_lost_a_file_fetches_it_again(url, server):
    byoc_kit.asset(url).unlink()
    assert byoc_kit.asset(url).read_bytes() == b"weights"


def test_resolving_fetches_what_has_changed_and_says_so(url, server, caplog):
    byoc_kit.asset(url)
    server.files["/model.bin"] = b"other weights"
    with caplog.at_level(logging.WARNING):
        assert resolve(url).size == len(b"other weights")
    assert "has changed at its source" in caplog.text
    assert byoc_kit.asset(url).read_bytes() == b"other weights"


def test_resolving_without_network_locks_what_the_cache_has(url, server, caplog):
    byoc_kit.asset(url)
    server.answers["/model.bin"] = 503
    with caplog.at_level(logging.WARNING):
        assert resolve(url).size == len(b"weights")
    assert "the bundle gets what the cache has" in caplog.text


def test_a_file_of_the_hub_is_locked_to_its_commit(hub, cache):
    hub.put(model__bin=b"weights", readme__md=b"x")
    locked = resolve(MODEL)
    assert locked.revision == COMMIT
    assert list(locked.files) == ["model.bin"]
    assert byoc_kit.asset(MODEL).read_bytes() == b"weights"


def test_a_folder_of_the_hub_has_all_files(hub, cache):
    hub.put(model__bin=b"weights", config__json=b"{}")
    folder = byoc_kit.asset(FOLDER)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "model.bin": b"weights",
        "config.json": b"{}",
    }
    hub.files.clear()
    assert byoc_kit.asset(FOLDER) == folder


def test_a_folder_whose_listing_leads_elsewhere_is_refused(hub, cache, tmp_path):
    hub.put(model__bin=b"weights", listed=["../../../evil.py"])
    assert "lists a file that would lie outside its folder" in said(byoc_kit.asset, FOLDER)
    assert not list(tmp_path.rglob("evil.py"))


def test_what_the_hub_refuses_is_said(hub, cache):
    path = f"/api/models/{REPO}/revision/main"
    assert "is gone" in said(byoc_kit.asset, MODEL)
    hub.answers[path] = 401
    assert "behind a login" in said(byoc_kit.asset, MODEL)
    hub.headers[path] = {"X-Error-Code": "GatedRepo"}
    hub.answers[path] = 403
    assert f"ask for access at the page of {REPO}, and set HF_TOKEN" in said(byoc_kit.asset, MODEL)
    hub.headers[path] = {"X-Error-Code": "RevisionNotFound"}
    hub.answers[path] = 404
    assert "has no revision main; name another revision" in said(byoc_kit.asset, MODEL)
    del hub.answers[path]
    hub.put(config__json=b"{}")
    assert "is not in that revision; correct the file's name" in said(byoc_kit.asset, MODEL)


def test_a_token_of_the_hub_is_not_sent_to_another_host(hub, server, cache, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "geheim")
    hub.put(model__bin=b"weights")
    server.files["/blob"] = b"weights"
    for revision in ("main", COMMIT):
        path = f"/{REPO}/resolve/{revision}/model.bin"
        hub.redirects[path] = f"http://localhost:{server.port}/blob"
        hub.redirect_headers = {"X-Repo-Commit": COMMIT, "X-Linked-Etag": '"abc"', "X-Linked-Size": "7"}
    assert byoc_kit.asset(MODEL).read_bytes() == b"weights"
    assert any("geheim" in str(headers) for _, _, headers in hub.asked)
    assert server.asked
    assert not any("geheim" in str(headers) for _, _, headers in server.asked)


def test_offline_is_said_with_what_sets_it(hub, cache, monkeypatch):
    from huggingface_hub import constants

    hub.put(model__bin=b"weights")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE lets nothing be fetched; unset it" in said(byoc_kit.asset, MODEL)
    assert hub.asked == []


def test_without_the_hubs_package_a_name_of_it_says_what_to_install(cache, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    text = 'needs huggingface_hub, which is not installed; pip install "byoc-kit[hub]"'
    assert text in said(byoc_kit.asset, MODEL)


def test_a_bundle_finds_its_assets_in_itself_then_models_then_the_cache(url, bundle, cache, tmp_path, monkeypatch):
    models = tmp_path / "models"
    monkeypatch.setattr(fetch, "MODELS", models)
    folder = bundle(url)
    place = resolve(url).folder
    for store in (cache, models, folder / "weights"):
        (store / place).mkdir(parents=True, exist_ok=True)
        (store / place / "model.bin").write_bytes(b"weights")
        assert find_in_bundle(folder, url) == store / place / "model.bin"


@pytest.mark.parametrize("is_hub", [False, True])
def test_a_bundle_fetches_what_is_nowhere(is_hub, url, bundle, cache, hub, request):
    hub.put(model__bin=b"weights")
    name = MODEL if is_hub else url
    folder = bundle(name)
    request.getfixturevalue("monkeypatch").setenv("BYOC_KIT_CACHE", str(cache.with_name("other")))
    path = find_in_bundle(folder, name)
    assert path.is_relative_to(cache.with_name("other"))
    assert path.read_bytes() == b"weights"


def test_a_file_with_another_hash_is_an_error_that_names_it(url, bundle, cache):
    folder = bundle(url)
    path = byoc_kit.asset(url)
    path.write_bytes(b"WEIGHTS")
    text = said(find_in_bundle, folder, url)
    assert f"is not the file that was exported: {path} has another SHA-256" in text


def test_what_changed_at_its_source_since_the_export_is_refused(url, bundle, server, cache, monkeypatch):
    folder = bundle(url)
    monkeypatch.setenv("BYOC_KIT_CACHE", str(cache.with_name("other")))
    server.files["/model.bin"] = b"changed"
    assert "has changed since the export" in said(find_in_bundle, folder, url)


def test_a_bundle_without_the_asset_says_so(url, bundle, server):
    folder = bundle(url)
    assert "is not in this bundle, according to its assets.json" in said(find_in_bundle, folder, f"{server.url}/other")


def test_a_damaged_lock_is_said(url, bundle):
    folder = bundle(url)
    text = (folder / ASSETS).read_text()
    (folder / ASSETS).write_text(text.replace('"web/', '"../web/'))
    with pytest.raises(byoc_kit.ByocKitError, match=r"assets.json cannot be read or is damaged; export"):
        find_in_bundle(folder, url)


def test_a_cache_that_cannot_be_written_says_what_to_set(url, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BYOC_KIT_CACHE", str(tmp_path / "file"))
    assert "let BYOC_KIT_CACHE name another folder" in said(byoc_kit.asset, url)


def test_how_far_a_file_of_the_hub_is_can_be_asked(hub, cache, monkeypatch):
    said_meanwhile = []

    class Noted(Progress):
        def advance(self, count):
            super().advance(count)
            said_meanwhile.append(progress_text())

    monkeypatch.setattr("byoc_kit.remote.hub.Progress", Noted)
    hub.put(model__bin=b"w" * 3_000_000)
    byoc_kit.asset(MODEL)
    assert said_meanwhile[-1] == "fetching model.bin: 100 % of 3 MB"
    assert progress_text() is None
