"""The host's clock, which is SQLite's; the one place where it is read."""

import time


def host_now_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000
