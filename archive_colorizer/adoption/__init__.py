"""Adopt networks of others: their families, a probe, the registry."""
