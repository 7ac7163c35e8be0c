"""Read and write pictures, one module per format."""
