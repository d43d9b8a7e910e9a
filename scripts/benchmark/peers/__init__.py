"""Other ways to serve the same echo over Server-Sent Events, each written as its own documentation would have it.

`engine` is none of them: it is what the gateways stand before.
"""
