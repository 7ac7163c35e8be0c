"""Read and write films: containers and numbered frames."""
