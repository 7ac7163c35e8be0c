"""Measure a model: color photographs made grey, restored by a run, compared."""
