"""The language: reading, checking and evaluating definitions. Pure: no I/O, no clock, no randomness."""
