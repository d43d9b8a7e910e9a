"""What was found, in the forms that people and programs read: text, JUnit, SARIF. Each writes a `Report`."""
