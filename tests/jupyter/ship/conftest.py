import pytest
from lab_rig import browser, lab
from notebook_rig import make, write_notebook

from byoc_kit.jupyter.ship.overview import Target, read_overview

__all__ = ["browser", "lab", "make", "write_notebook"]


@pytest.fixture
def overview_of(write_notebook):
    """Read the overview of a notebook made of (kind, source) pairs."""
    return lambda *cells, **options: read_overview(Target(write_notebook(cells=cells, **options)))
