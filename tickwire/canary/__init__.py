"""The canary: a client that is there to notice.

It follows a few symbols over the same way as every other client, checks each frame against the promise by itself,
measures how long ticks take, and says so on an operations port.
"""
