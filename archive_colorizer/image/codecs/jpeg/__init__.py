"""Read and write JPEG, and carry its luma over as it is coded."""
