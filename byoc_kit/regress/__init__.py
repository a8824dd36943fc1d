"""For regression notebooks: what a processor made of frames once (golden, or a failing case), and makes of them now."""

from byoc_kit.regress.cases import Case, load_case, replay_case, save_case
from byoc_kit.regress.comparison import Comparison, compare
from byoc_kit.regress.golden import Golden, RegressionError, load_golden, save_golden, versions
from byoc_kit.regress.process import Picture, process_clip, process_inputs, record_golden

__all__ = [
    "Case",
    "Comparison",
    "Golden",
    "Picture",
    "RegressionError",
    "compare",
    "load_case",
    "load_golden",
    "process_clip",
    "process_inputs",
    "record_golden",
    "replay_case",
    "save_case",
    "save_golden",
    "versions",
]
