from pathlib import Path

import pytest
from pydantic import SecretStr

from byoc_kit.core.bundle_reader import read_bundle
from byoc_kit.errors import ByocKitError
from byoc_kit.registration.plan import Plan, Way
from byoc_kit.server.health import Contract
from byoc_kit.server.settings import ServerSettings

BUNDLE = Path(__file__).parents[2] / "export/green_tint"
REGISTERED = {
    "BYOC_KIT_REGISTER_AS": "byoc",
    "BYOC_KIT_ORCHESTRATOR_URL": "https://orchestrator:8935",
    "BYOC_KIT_ORCHESTRATOR_SECRET": "orch-s3cret",
    "BYOC_KIT_RUNNER_URL": "http://gpu-1:8000",
}


def test_the_defaults_are_the_documented_ones():
    settings = ServerSettings.from_environment({"PATH": "/bin", "BYOC_KIT_CRF": ""})
    assert settings == ServerSettings()
    assert (settings.contract, settings.on_error, settings.encoder, settings.gop_s) == (
        Contract.BYOC,
        "passthrough",
        "libx264",
        None,
    )


def test_every_setting_is_a_variable():
    given = {
        "BYOC_KIT_CONTRACT": "ai-worker",
        "BYOC_KIT_ON_ERROR": "last",
        "BYOC_KIT_MAX_FAILURES": "7",
        "BYOC_KIT_STALL_TIMEOUT_S": "2.5",
        "BYOC_KIT_FIRST_FRAME_TIMEOUT_S": "60",
        "BYOC_KIT_ENCODER": "auto",
        "BYOC_KIT_PRESET": "veryfast",
        "BYOC_KIT_CRF": "30",
        "BYOC_KIT_GOP_S": "2",
        "BYOC_KIT_DECODER": "auto",
        "BYOC_KIT_TOKEN": "s3cret",
        "BYOC_KIT_REGISTER_AS": "live-runner",
        "BYOC_KIT_ORCHESTRATOR_URL": "https://orchestrator:8935/",
        "BYOC_KIT_ORCHESTRATOR_SECRET": "orch-s3cret",
        "BYOC_KIT_RUNNER_URL": "http://gpu-1:8000",
        "BYOC_KIT_RUNNER_ID": "tint-1",
        "BYOC_KIT_RUNNER_MODE": "single-shot",
        "BYOC_KIT_IDLE_TIMEOUT_S": "600",
    }
    assert set(given) == {f"BYOC_KIT_{name.upper()}" for name in ServerSettings.model_fields}
    assert ServerSettings.from_environment(given) == ServerSettings(
        contract=Contract.AI_WORKER,
        on_error="last",
        max_failures=7,
        stall_timeout_s=2.5,
        first_frame_timeout_s=60,
        encoder="auto",
        preset="veryfast",
        crf=30,
        gop_s=2,
        decoder="auto",
        token=SecretStr("s3cret"),
        register_as=Way.LIVE_RUNNER,
        orchestrator_url="https://orchestrator:8935",
        orchestrator_secret=SecretStr("orch-s3cret"),
        runner_url="http://gpu-1:8000",
        runner_id="tint-1",
        runner_mode="single-shot",
        idle_timeout_s=600,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ON_ERROR", "ignore"),
        ("CRF", "99"),
        ("STALL_TIMEOUT_S", "0"),
        ("CONTRACT", "BYOC"),
        ("REGISTER_AS", "runner"),
        ("ORCHESTRATOR_URL", "orchestrator:8935"),
        ("RUNNER_URL", "ftp://gpu-1"),
        ("RUNNER_ID", "a/b"),
        ("RUNNER_MODE", "single"),
    ],
)
def test_a_value_that_does_not_fit_is_named(name, value):
    with pytest.raises(ByocKitError, match=f"BYOC_KIT_{name}={value} does not fit: "):
        ServerSettings.from_environment({f"BYOC_KIT_{name}": value})


OF_WORKER = {"PIPELINE": "live-video-to-video", "MODEL_ID": "green-tint"}


@pytest.mark.parametrize(
    ("environment", "contract"),
    [
        (OF_WORKER, Contract.AI_WORKER),
        ({"PIPELINE": "live-video-to-video"}, Contract.BYOC),
        ({"MODEL_ID": "green-tint"}, Contract.BYOC),
        ({**OF_WORKER, "PIPELINE": "text-to-image"}, Contract.BYOC),
        ({**OF_WORKER, "BYOC_KIT_CONTRACT": "byoc"}, Contract.BYOC),
        ({**OF_WORKER, "BYOC_KIT_CONTRACT": ""}, Contract.AI_WORKER),
        ({"BYOC_KIT_CONTRACT": "live-runner"}, Contract.LIVE_RUNNER),
        ({"BYOC_KIT_REGISTER_AS": "live-runner"}, Contract.LIVE_RUNNER),
        ({"BYOC_KIT_REGISTER_AS": "live-runner", "BYOC_KIT_CONTRACT": "byoc"}, Contract.BYOC),
        ({"BYOC_KIT_REGISTER_AS": "byoc"}, Contract.BYOC),
        ({}, Contract.BYOC),
    ],
)
def test_the_contract_is_that_of_who_started_the_container_unless_a_setting_says_another(environment, contract):
    assert ServerSettings.from_environment(environment).contract is contract


def test_a_name_that_is_no_setting_is_reported(caplog):
    ServerSettings.from_environment({"BYOC_KIT_STALL": "3"})
    assert "BYOC_KIT_STALL is no setting; there are BYOC_KIT_ENCODER" in caplog.text


def test_the_setting_of_the_notebook_is_nothing_to_warn_of(caplog):
    assert ServerSettings.from_environment({"BYOC_KIT_PREVIEW": "still"}) == ServerSettings()
    assert caplog.text == ""


@pytest.mark.parametrize("name", ["token", "orchestrator_secret"])
def test_a_secret_may_be_in_a_file_and_is_never_shown(tmp_path, caplog, name):
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    settings = ServerSettings.from_environment({f"BYOC_KIT_{name.upper()}_FILE": str(path)})
    assert getattr(settings, name).get_secret_value() == "s3cret"
    assert "s3cret" not in f"{settings!r} {settings} {caplog.text}"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"BYOC_KIT_TOKEN": "two s3crets"}, "^BYOC_KIT_TOKEN does not fit: it must be printable ASCII characters"),
        ({"BYOC_KIT_TOKEN": "s3cr\u00e9t"}, "^BYOC_KIT_TOKEN does not fit: "),
        ({"BYOC_KIT_TOKEN_FILE": "empty"}, "^BYOC_KIT_TOKEN does not fit: "),
        ({"BYOC_KIT_TOKEN_FILE": "none"}, "BYOC_KIT_TOKEN_FILE: cannot read .*none: No such file or directory; name a"),
        ({"BYOC_KIT_TOKEN_FILE": "empty", "BYOC_KIT_TOKEN": "s3cret"}, "are both set; set one"),
        ({"BYOC_KIT_ORCHESTRATOR_SECRET": "s3cr et"}, "^BYOC_KIT_ORCHESTRATOR_SECRET does not fit: it must be"),
        (
            {"BYOC_KIT_ORCHESTRATOR_URL": "https://u:s3cret@o"},
            "^BYOC_KIT_ORCHESTRATOR_URL=https://o does not fit: it must",
        ),
        (
            {"BYOC_KIT_ORCHESTRATOR_URL": "https://o/?k=s3cret"},
            "^BYOC_KIT_ORCHESTRATOR_URL=https://o/ does not fit: it",
        ),
    ],
)
def test_a_token_that_cannot_be_sent_or_read_is_refused_without_showing_it(tmp_path, monkeypatch, given, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ByocKitError, match=said) as raised:
        ServerSettings.from_environment(given)
    assert "s3cr" not in str(raised.value)


def test_without_its_setting_nothing_registers():
    assert ServerSettings().registration_plan(read_bundle(BUNDLE)) is None


def test_a_registration_is_of_the_settings_and_of_the_bundle():
    given = {**REGISTERED, "BYOC_KIT_TOKEN": "s3cret"}
    bundle = read_bundle(BUNDLE)
    plan = ServerSettings.from_environment(given).registration_plan(bundle)
    assert plan == Plan(
        Way.BYOC,
        "https://orchestrator:8935",
        "http://gpu-1:8000",
        bundle.capability,
        secret="orch-s3cret",  # noqa: S106
        token="s3cret",  # noqa: S106
        params_sha256="5bc6878ebcd1ad789ade07f5baee3ef8b36202e95c56c382c81c6169e8161d31",
    )
    assert "s3cret" not in repr(plan)


@pytest.mark.parametrize("missing", sorted(REGISTERED.keys() - {"BYOC_KIT_REGISTER_AS"}))
def test_a_setting_that_a_registration_takes_is_named(missing):
    given = {name: value for name, value in REGISTERED.items() if name != missing}
    with pytest.raises(ByocKitError, match=f"^BYOC_KIT_REGISTER_AS=byoc needs {missing}: "):
        ServerSettings.from_environment(given).registration_plan(read_bundle(BUNDLE))
