"""Run tasks on the workers of a Dask cluster, each with a sandbox process."""
