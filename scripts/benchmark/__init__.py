"""Compares the cost of a stream with other servers: in one run, on one machine, with the same echo, checked by word."""
