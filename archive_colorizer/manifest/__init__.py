"""Account for every file: write the manifest, read it, choose the names of results."""
