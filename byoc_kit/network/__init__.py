"""A local network in small: trickle server and orchestrator."""
