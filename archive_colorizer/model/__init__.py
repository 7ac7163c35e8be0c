"""The network as a file: its contract, its spaces, its session, its shelf."""
