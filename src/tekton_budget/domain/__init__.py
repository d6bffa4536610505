"""The rules: pure values and functions of the standard library, without I/O, clock or randomness."""
