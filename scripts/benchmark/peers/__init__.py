"""Other ways to serve the same echo over Server-Sent Events, each written as its documentation recommends.

`engine` is not one of them: it is the upstream of the gateways.
"""
