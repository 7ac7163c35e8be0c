"""Measure a picture: faces, borders, tone, quality."""
