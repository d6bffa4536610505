"""Other programs' budget stores: bytes in, rows out, and the way back. No paths, no clock."""
