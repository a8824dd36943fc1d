"""The local network: a trickle server, and orchestrators of BYOC and of Live Runners."""
