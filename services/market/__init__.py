"""The market's nouns and their only codecs.  Pure: no clock, no loop, no socket, no log."""
