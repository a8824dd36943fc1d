"""Golden frames for regression notebooks: what a processor made of a clip once, and what it makes of it now."""

from byoc_kit.regress.comparison import Comparison, compare
from byoc_kit.regress.golden import Golden, RegressionError, load_golden, save_golden
from byoc_kit.regress.process import Picture, process_clip
from byoc_kit.regress.record import record_golden

__all__ = [
    "Comparison",
    "Golden",
    "Picture",
    "RegressionError",
    "compare",
    "load_golden",
    "process_clip",
    "record_golden",
    "save_golden",
]
