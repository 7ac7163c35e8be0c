"""Hold the network as a file: its contract, its session, the registry."""
