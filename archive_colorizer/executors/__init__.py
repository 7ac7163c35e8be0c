"""Run tasks in processes: one at a time, on this machine, or on a Dask cluster."""
