"""A suite's trials, planned, reused or run, recorded and explained."""
