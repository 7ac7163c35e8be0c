"""Deliver results to an output that one run owns."""
