import pytest

from byoc_kit.errors import AssetError
from byoc_kit.remote.names import HubName, is_remote, is_safe, parse_remote


@pytest.mark.parametrize(
    ("text", "repo", "revision", "file"),
    [
        ("hf://org/repo", "org/repo", "main", None),
        ("hf://org/repo@v1.0", "org/repo", "v1.0", None),
        ("hf://org/repo@main/unet/model.safetensors", "org/repo", "main", "unet/model.safetensors"),
        ("hf://org/repo/model.safetensors", "org/repo", "main", "model.safetensors"),
    ],
)
def test_a_name_of_the_hub(text, repo, revision, file):
    assert parse_remote(text) == HubName(text, repo, revision, file)


def test_a_url_is_kept_apart_by_its_text_and_keeps_its_ending():
    one, other = (parse_remote(f"https://host/model%20a.safetensors?v={n}") for n in (1, 2))
    assert one.file == other.file == "model a.safetensors"
    assert one.folder != other.folder


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s3://bucket/x", "asset s3://bucket/x begins with s3://, which is not known; use https:// or hf://"),
        ("https://host/", "asset https://host/ does not end in the name of a file; name a file, not a folder"),
        ("https:///x", "asset https:///x is not a URL; write https://host/path/file"),
        ("https://h/%2e%2e", "asset https://h/%2e%2e does not end in the name of a file; name a file, not a folder"),
        ("https://h/ö", "asset https://h/ö has a character that a URL cannot have; write it percent-encoded, as %20"),
        ("hf://org/repo@main/../x", "asset hf://org/repo@main/../x leads out of its repository; "
         "write hf://org/repo@revision/file for a file, or hf://org/repo@revision for a folder"),
        ("hf://repo", "asset hf://repo is not the name of something on the hub; "
         "write hf://org/repo@revision/file for a file, or hf://org/repo@revision for a folder"),
    ],
)  # fmt: skip
def test_a_form_that_is_not_known_is_one_sentence(name, text):
    with pytest.raises(AssetError) as caught:
        parse_remote(name)
    assert str(caught.value) == text


def test_a_password_in_a_url_is_refused_and_not_repeated():
    with pytest.raises(AssetError, match=r"~/.netrc") as caught:
        parse_remote("https://me:geheim@host/model.bin")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("name", ["level.txt", "https.txt", "a/b", "C:/x", "://x"])
def test_a_local_name_is_not_remote(name):
    assert not is_remote(name)


@pytest.mark.parametrize("path", ["../x", "a/../x", "/x", "", "a//b", ".", "a\\..\\b", "a\nb", "a/"])
def test_a_path_that_may_leave_its_folder_is_not_safe(path):
    assert not is_safe(path)
