"""Verifies a running chat backend against its contract from outside: laws over real connections, and a fuzzer.

`contract`, `grammar` and `sse` check values; `target` and `streams` talk to the deployment; `laws` defines the tests,
and `trying` runs them; `reports` writes the results. `capture` checks recorded streams. `plugin` is for pytest.
"""
