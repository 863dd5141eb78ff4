"""The protocols that a client may speak; each module only translates."""
