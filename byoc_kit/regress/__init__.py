"""Golden frames for regression notebooks."""
