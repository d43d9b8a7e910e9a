"""Stores the events of running replies. One module per implementation."""
