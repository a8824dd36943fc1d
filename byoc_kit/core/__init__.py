"""What runs a notebook's model, in the notebook as in the container: frames, parameters, hooks, the stage."""
