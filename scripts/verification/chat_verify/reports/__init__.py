"""Writes a `Report` in formats for people and programs: text, JUnit, SARIF."""
