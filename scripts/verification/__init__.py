"""Verifies any running deployment of the contract from outside: the laws over real connections, and the fuzzer."""
