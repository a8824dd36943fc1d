import json
import re

from command_rig import SOUND, run, write

__all__ = ["run", "write"]


def test_a_video_is_no_notebook(run, clip):
    assert run("check", clip) == (2, "", "byoc-kit: bigbuckbunny.mp4 is no text; give the path of an .ipynb file\n")


def test_errors_end_it_with_1_and_are_said_in_the_form_asked_for(run, write):
    write(("byoc", "x = GAIN"), *SOUND)
    code, out, err = run("check", "effects.ipynb")
    assert (code, err) == (1, "")
    assert out.splitlines()[0] == "error[undefined-name]: nothing defines GAIN"
    assert out.splitlines()[-1] == "effects.ipynb: 1 error"
    code, out, _ = run("check", "effects.ipynb", "--format", "json")
    assert (code, json.loads(out)["ok"]) == (1, False)
    code, out, _ = run("check", "effects.ipynb", "--format", "github")
    assert code == 1
    assert out.startswith("::error file=effects.ipynb,title=undefined-name")


def test_a_sound_notebook_ends_it_with_0(run, write):
    write(*SOUND)
    assert run("check", "effects.ipynb") == (0, "effects.ipynb: no problems found; it can be exported\n", "")


def test_what_only_a_person_can_mend_is_left_by_fix(run, write):
    write(*SOUND, ("byoc", "x = GAIN"))
    code, _, err = run("check", "effects.ipynb", "--fix")
    assert code == 1
    assert err == "--fix sets tags and changes no code: fix the rest yourself\n"


def test_without_a_notebook_it_says_what_to_give(run):
    assert run("check") == (2, "", "byoc-kit: give the path of a notebook, or --codes, or --explain CODE\n")


def test_a_code_is_explained_and_a_near_miss_named(run):
    code, out, _ = run("check", "--explain", "undefined-name")
    assert code == 0
    assert out.startswith("error[undefined-name]\n\n")
    said = "byoc-kit: there is no finding called undefined-nam; did you mean undefined-name?\n"
    assert run("check", "--explain", "undefined-nam") == (2, "", said)


def test_all_codes_are_listed_in_columns(run):
    code, out, _ = run("check", "--codes")
    found = [re.search(r"  (?:error|warning|note) +\S", line) for line in out.partition("\n\n")[0].splitlines()]
    assert code == 0
    assert len(found) > 30
    assert len({one.start() for one in found}) == len({one.end() for one in found}) == 1
