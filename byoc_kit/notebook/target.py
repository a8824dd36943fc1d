"""What the exported code will run on."""

PYTHON = "3.11"
