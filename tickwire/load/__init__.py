"""Simulated clients for a running gateway, so that its dashboards move: `tickwire load`."""
