import pytest
from notebook_rig import PROCESS_FRAME, check, said

from byoc_kit.core.capability import Capability
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.declarations import read_capability


def test_no_capability(make):
    assert said(make(("byoc", PROCESS_FRAME), ("", "x = 1"))) == [
        "effects.ipynb: no tagged cell says what the container offers; write capability = "
        'Capability(model_id="my-model", price_per_unit=3000) in a tagged cell [no-capability]'
    ]


@pytest.mark.parametrize("value", ["3", 'Capability("tint")', 'dict(model_id="tint")', "Capability(**{})"])
def test_capability_that_is_no_plain_call(make, value):
    cells = ("byoc", f"from byoc_kit import Capability\ncapability = {value}"), ("byoc", PROCESS_FRAME)
    assert said(make(*cells)) == [
        "effects.ipynb, cell 1, line 2: capability must be a call of Capability with named arguments; write "
        'capability = Capability(model_id="my-model", price_per_unit=3000) in a tagged cell [capability]'
    ]


@pytest.mark.parametrize("value", ['f"{len}"', "{[]: 1}", "len('tint')", "__name__", "NAMES[0]", "TWICE"])
def test_capability_with_a_value_that_only_running_would_tell(make, value):
    names = "NAMES = ['tint']; TWICE = 'a'; TWICE = 'b'"
    cells = ("byoc", f"from byoc_kit import Capability\n{names}\ncapability = Capability(model_id={value})")
    assert said(make(cells, ("byoc", PROCESS_FRAME))) == [
        "effects.ipynb, cell 1, line 3: Capability, model_id: is not a literal, and the exporter does not run the "
        "notebook; write the value itself [capability]"
    ]


def test_a_capability_may_be_of_names_for_literals(make):
    names = "MODEL = 'tint'\nVERSION = 2\nPRICE: int = 3000\nWARM = False"
    call = "Capability(model_id=f'{MODEL}-{VERSION}', price_per_unit=PRICE, warm=WARM, capacity=1)"
    cells = [names, f"from byoc_kit import Capability\ncapability = {call}", PROCESS_FRAME]
    notebook = make(*(("byoc", source) for source in cells))
    assert said(notebook) == []
    assert read_capability(Analysis(notebook)) == Capability(model_id="tint-2", price_per_unit=3000, warm=False)


def test_a_name_for_a_literal_must_be_above_the_capability(make):
    cells = [
        "from byoc_kit import Capability\ncapability = Capability(model_id=MODEL)",
        "MODEL = 'tint'",
        PROCESS_FRAME,
    ]
    [finding] = check(make(*(("byoc", source) for source in cells)))
    assert (finding.code, finding.line) == ("used-before-definition", 2)


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ("", "model_id: Field required"),
        ('model_id="tint", price_per_unit="3"', "price_per_unit: Input should be a valid integer"),
        ('model_id="tint", capacity=0', "capacity: Input should be greater than or equal to 1"),
        (
            'model_id="tint", gpu={}',
            'gpu: {} must be a name, megabytes of memory, or both: {"name": "NVIDIA L40S", "vram_mb": 46068}',
        ),
        ('model_id="tint", price_usd_per_hour="1"', "price_usd_per_hour: Input should be a valid number"),
    ],
)
def test_capability_with_a_bad_argument(make, arguments, wrong):
    cells = ("byoc", f"from byoc_kit import Capability\ncapability = Capability({arguments})")
    assert said(make(cells, ("byoc", PROCESS_FRAME))) == [
        f"effects.ipynb, cell 1, line 2: Capability, {wrong}; "
        'write it as in Capability(model_id="my-model", price_per_unit=3000, warm=True, capacity=1) [capability]'
    ]


def test_capability_with_an_argument_that_it_does_not_have(make):
    cells = ("byoc", 'from byoc_kit import Capability\ncapability = Capability(model_id="tint", gpus=1)')
    assert said(make(cells, ("byoc", PROCESS_FRAME))) == [
        "effects.ipynb, cell 1, line 2: Capability has no gpus; "
        "it has model_id, price_per_unit, warm, capacity, version, description, pixels_per_unit, price_usd_per_hour, "
        "gpu, url, image [capability]"
    ]


@pytest.mark.parametrize(
    "source",
    [
        'import byoc_kit as bk\ncapability = bk.Capability(model_id="tint")',
        'from byoc_kit import Capability as Offer\ncapability = Offer(model_id="tint")',
        'from byoc_kit import Capability\ncapability: Capability = Capability(model_id="tint")',
    ],
)
def test_a_capability_may_be_written_in_other_ways(make, source):
    assert said(make(("byoc", source), ("byoc", PROCESS_FRAME))) == []


def test_a_second_capability_is_found_and_the_one_that_counts_is_named(make):
    text = 'from byoc_kit import Capability\ncapability = Capability(model_id="{}")'
    notebook = make(("byoc", text.format("a")), ("byoc", PROCESS_FRAME), ("byoc", text.format("b")))
    assert said(notebook) == [
        "effects.ipynb, cell 3, line 2: capability is bound a second time, and this one counts "
        "(first in cell 1, line 2); keep one of them tagged [second-capability]"
    ]
    assert read_capability(Analysis(notebook)).model_id == "b"
    assert said(make(("byoc", text.format("a")), ("byoc", PROCESS_FRAME))) == []
