"""A small local network: trickle server and orchestrator."""
