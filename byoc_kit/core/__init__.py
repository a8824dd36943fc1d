"""The parts of a notebook's model, and the code that runs it, the same in the notebook and in the container."""
