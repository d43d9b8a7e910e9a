"""Measures what a stream costs here and elsewhere: one run, one machine, the same echo, checked word by word."""
