"""The HTTP client of these tests: certificates are slow to read, and not needed."""

import httpx

# A line that the provider broke may not yet be known to be broken, so none is used twice.
HTTP = httpx.Client(verify=False, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
