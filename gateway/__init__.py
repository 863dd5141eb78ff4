"""The gateway: stateless, one queue per followed symbol in, any number of clients out."""
