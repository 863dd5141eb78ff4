"""What Tickwire costs, measured beside what one would use instead."""
