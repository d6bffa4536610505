"""Commands under a cap: `run` starts one, `runs` shows them."""
