"""The HTTP client of these tests: certificates are slow to read, and not needed."""

import httpx

HTTP = httpx.Client(verify=False, trust_env=False)
