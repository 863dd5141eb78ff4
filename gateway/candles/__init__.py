"""Candles as a subscription: history's candles, continued from the live ticks of the same position."""
