"""The parts that a notebook shows: the live preview and the ship panel."""
