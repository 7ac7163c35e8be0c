"""Drive the jobs of a run: plan, batches, circuit breaker, signals, summary."""
