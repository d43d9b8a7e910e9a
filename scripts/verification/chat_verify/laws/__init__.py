"""What each law says, and how it is tried: a module for laws that are tried in the same way.

A law is a coroutine that takes a `Visit`. It returns if the law holds, and raises `Broken` or `Unseen` otherwise.
"""
