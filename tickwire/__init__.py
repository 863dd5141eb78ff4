"""The front door: the `tickwire` command, the one-process demo and the terminal watcher."""
