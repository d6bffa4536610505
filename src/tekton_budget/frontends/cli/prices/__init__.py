"""`prices`: what models cost, computed, loaded, agreed and recommended."""
