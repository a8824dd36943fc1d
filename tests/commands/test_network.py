import json
import signal
import subprocess
import sys

import pytest
from command_rig import run

__all__ = ["run"]


def test_the_local_network_says_how_to_start_a_stream_and_ends_with_ctrl_c(tmp_path):
    models = tmp_path / "aiModels.json"
    entry = {"pipeline": "live-video-to-video", "model_id": "tint", "price_per_unit": 1, "url": "http://127.0.0.1:9"}
    models.write_text(json.dumps([entry]))
    command = [sys.executable, "-m", "byoc_kit", "network", str(models), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        first, second = process.stdout.readline(), process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=20)
    url = first.split()[2].rstrip(";")
    assert first == f"orchestrator at {url}; Ctrl-C ends it. Start a stream with:\n"
    assert second == f"""  curl {url}/stream/start -H content-type:application/json -d '{{"model_id": "tint"}}'\n"""
    assert (process.returncode, rest) == (0, ("", ""))


def network_says(lines, *arguments):
    """Run the local network until it has said so many lines, end it, and return them with its URL."""
    command = [sys.executable, "-m", "byoc_kit", "network", *map(str, arguments), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        said = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=20)
    assert (process.returncode, rest) == (0, ("", ""))
    return said, said[0].split()[2].rstrip(";")


def test_the_local_network_takes_runners_json_and_says_how_to_reserve(tmp_path):
    entry = {
        "label": "tint",
        "routing": "label",
        "runner_url": "http://127.0.0.1:9",
        "health_url": "/health",
        "app": "live-video-to-video/tint",
    }
    runners = tmp_path / "mine.json"
    runners.write_text(json.dumps({"runners": [entry]}))
    said, url = network_says(4, runners, "--secret", "s", "--runner-url-base", "http://orchestrator:8935")
    assert said == [
        f"orchestrator at {url}; Ctrl-C ends it.\n",
        "tint does not answer its health check yet. Reserve a session with:\n",
        f"  curl -X POST {url}/apps/tint/session\n",
        "Containers register at http://orchestrator:8935/runners/heartbeat.\n",
    ]


def test_the_local_network_serves_https(tmp_path):
    said, url = network_says(2, "--secret", "s", "--tls")
    assert url.startswith("https://127.0.0.1:")
    assert said[1] == f"Containers register at {url}/runners/heartbeat.\n"


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ('{"runners": [{}]}', "runners.json, line 1, column 14: runners[0]: label is required and must be trimmed"),
        ("[", "runners.json, line 1, column 2: is not JSON: the end of the file instead of a value"),
    ],
)
def test_a_runners_json_with_an_error_is_one_sentence(run, tmp_path, document, sentence):
    (tmp_path / "runners.json").write_text(document)
    code, _, err = run("network", str(tmp_path / "runners.json"))
    assert code == 2
    assert err.strip().endswith(sentence)


def test_a_network_of_nothing_is_refused(run):
    code, _, err = run("network")
    assert code == 2
    assert "nothing is declared; give aiModels.json, runners.json or a bundle, or a --secret" in err
