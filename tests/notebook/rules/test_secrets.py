import pytest
from notebook_rig import check

SECRETS = {
    "hf_" + 24 * "a": "a Hugging Face token",
    "Bearer ghp_" + 36 * "a": "a GitHub token",
    "AKIA" + 16 * "A": "an AWS key",
    "https://me:hunter2@example.org/x": "a password in a URL",
    "-----BEGIN RSA PRIVATE KEY-----\n": "a private key",
}


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_known_by_how_they_look_and_never_repeated(make_sound, secret):
    [finding] = check(make_sound(f"x = [{secret!r}]"))
    assert (finding.code, finding.message) == ("secret", f"this looks like {SECRETS[secret]}")
    assert secret not in str(finding)


@pytest.mark.parametrize(
    ("source", "is_secret"),
    [
        ("API_KEY = 'a1b2c3d4'", True),
        ("config = {'password': 'correct horse'}", True),
        ("client.token = b'a1b2c3d4'\nimport client", True),
        ("NEXT_TOKEN = 'hello world'", False),
        ("next_secret = 'hello world'", True),
        ("API_KEY = ''", False),
        ("API_KEY = 'your key here'", False),
        ("API_KEY = '<key>'", False),
        ("mask_token = '[MASK]'", False),
        ("import os\nAPI_KEY = os.environ['API_KEY']", False),
        ("tokenizer = 'bert-base-uncased'", False),
        ("max_tokens = 'hundred'", False),
        ("skill = 'ask-me-anything-about-nothing-at-all'", False),
    ],
)
def test_secrets_are_known_by_their_names(make_sound, source, is_secret):
    codes = [finding.code for finding in check(make_sound(source))]
    assert ("secret" in codes) is is_secret
