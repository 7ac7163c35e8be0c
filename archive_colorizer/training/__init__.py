"""Train a network and export it; the only home of torch."""
