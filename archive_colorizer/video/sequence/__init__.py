"""Read and write films that are numbered frames in a folder."""
