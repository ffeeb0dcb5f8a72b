"""Training of separation networks: configuration, task, data, callbacks and command."""
