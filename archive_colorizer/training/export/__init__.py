"""Export a checkpoint as a model file."""
