"""What shows itself in a notebook: the live preview and the ship panel."""
