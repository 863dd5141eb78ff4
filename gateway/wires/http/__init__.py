"""Plain HTTP: the directory, quotes, ticks and candles, one request and one answer at a time."""
