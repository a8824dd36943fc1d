import json
from pathlib import Path

import pytest

from byoc_kit.cli import main

ROOT = Path(__file__).parents[2]
ENTRY = '{"pipeline": "live-video-to-video", "model_id": "tint", "price_per_unit": "3000"}'


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_check_says_file_line_and_column_as_a_compiler_does(run, tmp_path):
    (tmp_path / "aiModels.json").write_text(f"[\n  {ENTRY}\n]\n")
    assert run("models", "check", "aiModels.json") == (
        1,
        f"aiModels.json:2:{len('  ') + ENTRY.index('3000')}: error: "
        'price_per_unit is "3000", so go-livepeer refuses the whole file; '
        "write a number without quotes, as in 3000 [type]\n"
        "aiModels.json: 1 error\n",
        "",
    )


def test_check_looks_as_the_docs_show(run, tmp_path):
    [entry] = json.loads((ROOT / "export/green_tint/aiModels.json").read_bytes())
    wrong = {"wram" if key == "warm" else key: value for key, value in {**entry, "price_per_unit": "3000"}.items()}
    (tmp_path / "aiModels.json").write_text(json.dumps([wrong], indent=2))
    shown = (ROOT / "docs/how-to/orchestrator.md").read_text().partition("```text\n")[2].partition("```")[0]
    assert run("models", "check", "aiModels.json") == (1, shown, "")


def test_check_is_content_with_a_warning_and_a_note(run, tmp_path):
    (tmp_path / "aiModels.json").write_text('[{"pipeline": "llm", "model_id": "a", "wam": true}]')
    code, out, _ = run("models", "check", "aiModels.json")
    assert (code, out.splitlines()[-1]) == (0, "aiModels.json: 1 warning, 1 note; go-livepeer reads it")


def test_check_says_where_there_is_nothing_to_say(run, tmp_path):
    (tmp_path / "runners.json").write_text('{"runners": []}')
    assert run("models", "check", "runners.json")[:2] == (
        0,
        "runners.json: no problems found; go-livepeer reads it\n",
    )


def test_check_for_programs(run, tmp_path):
    (tmp_path / "aiModels.json").write_text("{")
    code, out, _ = run("models", "check", "aiModels.json", "--format", "json")
    assert code == 1
    assert json.loads(out) == {
        "file": "aiModels.json",
        "ok": False,
        "findings": [
            {
                "code": "json",
                "severity": "error",
                "message": "this is not valid JSON: the end of the file instead of a key in quotes",
                "hint": "correct it here",
                "line": 1,
                "column": 2,
            }
        ],
    }


def test_a_file_that_is_not_there_is_bad_input(run):
    assert run("models", "check", "aiModels.json") == (
        2,
        "",
        "byoc-kit: cannot read aiModels.json: No such file or directory; "
        "give an aiModels.json, a runners.json or a register.json\n",
    )


def test_merge_says_what_it_did_and_what_is_next(run, tmp_path):
    (tmp_path / "aiModels.json").write_text(
        '[{"pipeline": "live-video-to-video", "model_id": "green-tint", "token": "a"}]'
    )
    bundles = [str(ROOT / "export" / name) for name in ("green_tint", "motion_trails")]
    assert run("models", "merge", "aiModels.json", *bundles) == (
        0,
        "wrote aiModels.json: replaced green-tint, added motion-trails; next: byoc-kit models check aiModels.json\n",
        "green-tint had token, which its bundle does not say; add it again if you need it\n",
    )


def test_merge_says_the_images_that_the_ai_worker_starts(run, tmp_path):
    managed = {"pipeline": "live-video-to-video", "model_id": "a", "container": "byoc/a"}
    (tmp_path / "aiModels.json").write_text(json.dumps([managed]))
    _, out, _ = run("models", "merge", "aiModels.json", str(ROOT / "export/green_tint"))
    said = "go-livepeer needs -aiRunnerImageOverrides "
    assert out.splitlines()[1] == said + """'{"live": {"a": "byoc/a"}}'"""
