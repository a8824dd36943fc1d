"""For regression notebooks: compares a processor's frames with golden ones, and runs failing cases again."""

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
