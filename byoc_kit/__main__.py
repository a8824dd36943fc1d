"""``python -m byoc_kit`` is ``byoc-kit``."""

import sys

from byoc_kit.cli import main

sys.exit(main())
