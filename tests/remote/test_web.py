import errno
import socket

import pytest

from byoc_kit.errors import AssetError
from byoc_kit.remote import web
from byoc_kit.remote.locked import LockedFile
from byoc_kit.remote.names import parse_remote
from byoc_kit.remote.progress import progress_text

DATA = bytes(range(256)) * 4000


@pytest.fixture
def target(tmp_path):
    return tmp_path / "store" / "model.bin"


@pytest.fixture
def name(server, cache):
    server.files["/model.bin"] = DATA
    return parse_remote(f"{server.url}/model.bin")


def ranges(server):
    return [headers.get("Range") for _, _, headers in server.asked]


def said(name, target, **options):
    with pytest.raises(AssetError) as caught:
        web.fetch(name, target, **options)
    assert not target.exists()
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_file_is_fetched_whole_and_nothing_else_is_left(name, target):
    fetched = web.fetch(name, target)
    assert target.read_bytes() == DATA
    assert fetched.file.size == len(DATA)
    assert [path.name for path in target.parent.iterdir()] == ["model.bin"]
    assert progress_text() is None


def test_what_was_cut_off_is_taken_up_where_it_ended(name, target, server):
    server.cuts = [300_000, 500_000]
    web.fetch(name, target)
    assert target.read_bytes() == DATA
    assert ranges(server) == [None, "bytes=300000-", "bytes=800000-"]


def test_what_an_earlier_process_left_is_taken_up(name, target, server):
    server.cuts = [300_000, 0]
    assert "was cut off after 300000 bytes" in said(name, target)
    server.asked.clear()
    web.fetch(name, target)
    assert target.read_bytes() == DATA
    assert ranges(server) == ["bytes=300000-"]


def test_a_part_of_an_older_file_is_not_mixed_with_the_new_one(name, target, server):
    server.cuts = [300_000, 0]
    said(name, target)
    server.files["/model.bin"] = DATA[::-1]
    web.fetch(name, target)
    assert target.read_bytes() == DATA[::-1]


def test_a_server_without_tags_is_asked_from_the_beginning(name, target, server):
    server.has_tags, server.cuts = False, [300_000]
    web.fetch(name, target)
    assert target.read_bytes() == DATA
    assert ranges(server) == [None, None]


def test_a_file_other_than_the_locked_one_is_refused_and_removed(name, target):
    text = said(name, target, locked=LockedFile(len(DATA), "0" * 64))
    assert "has changed since the export" in text
    assert "export the notebook again" in text
    assert list(target.parent.glob(".*.part")) == []


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (401, "is behind a login: its server answers 401; put the login of its host into ~/.netrc"),
        (403, "is behind a login: its server answers 403"),
        (404, "is gone: its server answers 404; correct the URL, or name another file"),
        (410, "is gone: its server answers 410"),
        (503, "cannot be fetched: its server answers 503; try again later"),
    ],
)
def test_what_a_server_refuses_is_said(name, target, server, status, text):
    server.answers["/model.bin"] = status
    assert text in said(name, target)


def test_no_network_is_said(cache, target):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        name = parse_remote(f"http://127.0.0.1:{closed.getsockname()[1]}/model.bin")
        assert "cannot be fetched: Connection refused; look at the network, and try again" in said(name, target)


def test_a_full_disk_is_said_and_leaves_no_file(name, target, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(web, "write_whole", full)
    assert "No space left on device; make room there, or let BYOC_KIT_CACHE name another folder" in said(name, target)


def test_a_login_is_sent_to_its_own_host_alone(name, target, server, tmp_path):
    other = f"http://localhost:{server.port}"
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password geheim\n")
    server.files["/elsewhere.bin"] = DATA
    server.redirects["/model.bin"] = f"{other}/elsewhere.bin"
    web.fetch(name, target)
    sent = {path: headers.get("Authorization") for _, path, headers in server.asked}
    assert sent["/model.bin"].startswith("Basic ")
    assert sent["/elsewhere.bin"] is None


def test_a_login_follows_a_redirect_on_the_same_host(name, target, server, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password geheim\n")
    server.files["/elsewhere.bin"] = DATA
    server.redirects["/model.bin"] = "/elsewhere.bin"
    web.fetch(name, target)
    assert all(headers.get("Authorization") for _, _, headers in server.asked)


def test_a_redirect_to_a_file_of_this_machine_is_refused(name, target, server):
    server.redirects["/model.bin"] = "ftp://127.0.0.1/etc/passwd"
    assert "redirects to ftp://127.0.0.1/etc/passwd" in said(name, target)


def test_what_has_not_changed_is_not_fetched_again(name, target, server):
    known = web.fetch(name, target)
    assert web.fetch(name, target, known=known) == known
    server.files["/model.bin"] = DATA[:10]
    assert web.fetch(name, target, known=known).file.size == 10
    assert target.read_bytes() == DATA[:10]
