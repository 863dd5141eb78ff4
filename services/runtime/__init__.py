"""Settings, clock and lifecycle of a process."""
