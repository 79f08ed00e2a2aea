"""Pictures and films of trajectories."""
