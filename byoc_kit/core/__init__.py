"""What a notebook's model is made of, and what runs it: the same in the notebook and in the container."""
