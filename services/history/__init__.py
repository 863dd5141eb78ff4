"""The history process: it reads the log, remembers the last minutes of every symbol, and answers."""
