"""Writes a bundle: the module, the lock, the Dockerfile and the network's configuration."""
