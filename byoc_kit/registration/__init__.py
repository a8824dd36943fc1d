"""How a container joins and leaves the network by itself, as a Live Runner or as a BYOC capability."""
