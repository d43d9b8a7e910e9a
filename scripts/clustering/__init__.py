"""A whole deployment on one machine, without containers."""
