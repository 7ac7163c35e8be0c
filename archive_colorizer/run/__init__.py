"""Many photographs: plan, executors, manifest.  Never sees a pixel."""
