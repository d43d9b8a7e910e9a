"""What leads from one set of tables to the next."""
