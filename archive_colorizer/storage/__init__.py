"""Reach files and object stores."""
