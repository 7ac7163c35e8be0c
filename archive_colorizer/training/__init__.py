"""From photographs to a model file; the only home of torch."""
