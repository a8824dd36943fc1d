"""What goes out: the module, the lock, the Dockerfile and the network's configuration."""
