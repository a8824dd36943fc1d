import json

import pytest
from command_rig import SOUND, run, write
from notebook_rig import CAPABILITY, PROCESS_FRAME, notebook_json

__all__ = ["run", "write"]


def test_export_writes_the_bundle_and_its_wheel(run, write, tmp_path):
    write(*SOUND)
    code, out, err = run("export", "effects.ipynb")
    assert (code, err) == (0, "")
    [wheel] = (tmp_path / "export" / "effects" / "wheels").iterdir()
    assert wheel.match("byoc_kit-*.whl")
    assert out == (
        "wrote export/effects: processor.py, processor.map.json, requirements.lock, sbom.cdx.json, Dockerfile, "
        f".dockerignore, aiModels.json, runners.json, register.json, bundle.json, 1 wheel ({wheel.name}); "
        "next: byoc-kit verify export/effects\n"
    )


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["b.bin"], "1 asset (b.bin)"),
        (["b.bin", "a.bin", "c.bin"], "3 assets (a.bin, b.bin, c.bin)"),
        (["a.bin", "b.bin", "c.bin", "d.bin"], "4 assets"),
    ],
)
def test_an_export_names_its_assets_where_they_are_few(run, write, tmp_path, names, said):
    for name in names:
        (tmp_path / name).write_text(name)
    uses = [f'{name[0]} = byoc_kit.asset("{name}")' for name in names]
    write(*SOUND, ("byoc", "\n".join(["import byoc_kit", *uses])))
    code, out, _ = run("export", "effects.ipynb", "--no-hashes")
    assert code == 0
    assert f", bundle.json, {said}, 1 wheel (byoc_kit-" in out


def test_exporting_twice_changes_no_byte(run, write, tmp_path):
    write(*SOUND)
    bundles = []
    for _ in range(2):
        assert run("export", "effects.ipynb", "--output", "out")[0] == 0
        files = [path for path in (tmp_path / "out").iterdir() if path.is_file()]
        bundles.append({path.name: path.read_bytes() for path in files})
    assert bundles[0] == bundles[1]


def test_an_export_says_what_was_left_out(run, write):
    write(*SOUND, ("byoc", "%matplotlib inline"))
    code, _, err = run("export", "effects.ipynb")
    assert (code, err) == (
        0,
        "effects.ipynb, cell 3, line 1: `%matplotlib inline` is left out: it changes nothing in a container; move it "
        "to a cell without the tag to be rid of this note [dropped-magic]\n",
    )


BAD = {
    "a magic": (
        (*SOUND, ("byoc", "%time")),
        "effects.ipynb, cell 3, line 1: `%time` is IPython, not Python; move it to a cell without the tag [magic]",
    ),
    "a syntax error": (
        (*SOUND, ("byoc", "x =")),
        "effects.ipynb, cell 3, line 1: invalid syntax: `x =`; correct it, or remove the tag [syntax-error]",
    ),
    "no process_frame": (
        (SOUND[0], ("", PROCESS_FRAME)),
        "effects.ipynb: no tagged cell defines process_frame; cell 2 defines it; tag that cell `byoc` "
        "[no-process-frame]",
    ),
    "two process_frames": (
        (*SOUND, SOUND[1]),
        "effects.ipynb, cell 3, line 1: process_frame is defined a second time (first in cell 2); "
        "keep one of them tagged [shadowed-hook]",
    ),
    "a capability that is no literal": (
        (("byoc", CAPABILITY.replace('"tint"', "__name__")), SOUND[1]),
        "effects.ipynb, cell 1, line 3: Capability, model_id: is not a literal, and the exporter does not run the "
        "notebook; write the value itself [capability]",
    ),
    "a bad argument of Capability": (
        (("byoc", CAPABILITY.replace(")", ", warm=1)")), SOUND[1]),
        "effects.ipynb, cell 1, line 3: Capability, warm: Input should be a valid boolean; "
        'write it as in Capability(model_id="my-model", price_per_unit=3000, warm=True, capacity=1) [capability]',
    ),
    "an undefined name": (
        (*SOUND, ("", "GAIN = 2"), ("byoc", "x = GAIN")),
        "effects.ipynb, cell 4, line 1: GAIN is not in the tagged cells; cell 3 defines it; "
        "tag that cell `byoc` [untagged-name]",
    ),
    "a module that is nowhere": (
        (*SOUND, ("byoc", "import no_such_module")),
        "effects.ipynb, cell 3, line 1: no installed distribution provides the module no_such_module; "
        "install it in this environment with pip [missing-module]",
    ),
}


@pytest.mark.parametrize(("cells", "said"), BAD.values(), ids=BAD)
def test_a_bad_notebook_is_one_line_and_no_bundle(run, write, tmp_path, cells, said):
    write(*cells)
    assert run("export", "effects.ipynb") == (2, "", f"byoc-kit: {said}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["effects.ipynb"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no notebook effects.ipynb; give the path of an .ipynb file"),
        ("{", "effects.ipynb is not valid JSON ("),
        ("[]", "effects.ipynb is not a notebook: it has no list of cells; give an .ipynb file of nbformat 4"),
        (json.dumps({"nbformat": 3, "worksheets": []}), "effects.ipynb is of an old format; convert it with "),
        (notebook_json(("", "x = 1")), "effects.ipynb: no code cell with something in it is tagged; "),
    ],
)
def test_a_file_that_is_no_notebook_is_one_line_and_no_bundle(run, tmp_path, text, said):
    if text is not None:
        (tmp_path / "effects.ipynb").write_text(text)
    code, out, err = run("export", "effects.ipynb")
    assert (code, out) == (2, "")
    assert err.startswith(f"byoc-kit: {said}")
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "export").exists()


def test_an_export_locks_as_the_one_before_until_it_is_told_otherwise(run, write, tmp_path):
    write(*SOUND)

    def lock():
        return (tmp_path / "export" / "effects" / "requirements.lock").read_text()

    assert run("export", "effects.ipynb", "--no-hashes")[0] == 0
    assert "--hash" not in lock()
    assert run("export", "effects.ipynb")[0] == 0
    assert "--hash" not in lock()
    assert run("export", "effects.ipynb", "--check")[:2] == (0, "export/effects is as the notebook says\n")
    assert run("export", "effects.ipynb", "--hashes", "--device", "installed")[0] == 0
    assert "--hash" in lock()


def test_several_faults_are_one_line_each(run, write):
    write(("byoc", "x = GAIN"))
    code, _, err = run("export", "effects.ipynb")
    assert code == 2
    assert [line.split("[")[-1] for line in err.splitlines()] == [
        "no-capability]",
        "no-process-frame]",
        "undefined-name]",
    ]


def test_a_target_that_is_no_bundle_is_left_alone(run, write, tmp_path):
    write(*SOUND)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "main.tex").write_text("mine")
    assert run("export", "effects.ipynb", "-o", "thesis") == (
        2,
        "",
        "byoc-kit: thesis exists and is not a bundle; choose another folder with --output, or remove it\n",
    )
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["main.tex"]


def test_a_target_that_cannot_be_written_is_one_line(run, write):
    write(*SOUND)
    code, out, err = run("export", "effects.ipynb", "-o", "effects.ipynb/out")
    assert (code, out) == (2, "")
    assert err == (
        "byoc-kit: cannot write effects.ipynb/out: a part of its path is a file; choose another folder with --output\n"
    )


@pytest.mark.parametrize("name", ["..ipynb", "...ipynb"])
def test_a_notebook_whose_name_is_a_folder_above_needs_an_output(run, tmp_path, name):
    (tmp_path / name).write_text(notebook_json(*SOUND))
    assert run("export", name) == (
        2,
        "",
        f"byoc-kit: {name} gives a bundle no name; choose its folder with --output\n",
    )
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_path_cannot_command_the_terminal(run):
    code, _, err = run("export", "a\x1b[2J.ipynb")
    assert (code, err) == (2, "byoc-kit: there is no notebook a\\x1b[2J.ipynb; give the path of an .ipynb file\n")
