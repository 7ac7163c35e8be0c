"""Read and write PNG."""
