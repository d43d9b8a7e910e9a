"""The laws, grouped into modules by the way they are tried.

A law is a coroutine that takes a `Visit`. It returns if the law holds, and otherwise raises `Broken` or `Unseen`.
"""
