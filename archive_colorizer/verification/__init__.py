"""Check an output against its manifest and its sources."""
