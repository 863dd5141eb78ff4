"""The producer: turns a source of prices into ticks and publishes them."""
