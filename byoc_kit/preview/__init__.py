"""The live preview widget."""
