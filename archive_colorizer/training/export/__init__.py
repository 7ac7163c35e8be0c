"""Turn a checkpoint into a model file."""
