"""Read and write JPEG, and copy its encoded luma unchanged."""
