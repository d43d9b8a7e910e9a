"""Verifies a running chat backend against its contract, from outside: the laws over real connections, and a fuzzer.

`contract`, `grammar` and `sse` judge values; `target` and `streams` talk to the deployment; `laws` says what is tried,
and `trying` tries it; `reports` writes what was found. `capture` judges recorded streams. `plugin` is for pytest.
"""
