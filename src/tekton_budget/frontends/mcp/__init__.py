"""The Model Context Protocol: an agent asks for, plans and settles its own budget, as tools.

Nothing here but `protocol.py`, `stdio.py` and `sessions.py` knows the protocol's SDK, and those are
loaded with the first client: to read it takes most of a second.
"""
