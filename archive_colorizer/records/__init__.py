"""Hold what travels between processes and into the manifest."""
