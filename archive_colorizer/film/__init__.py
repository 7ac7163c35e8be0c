"""Restore a film: shots, cuts, segments, and the join into one file."""
