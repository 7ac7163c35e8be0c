"""Compute with arrays of color: spaces, the blend, corrections."""
