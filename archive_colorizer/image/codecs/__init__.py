"""Read and write pictures, one module a format."""
