"""Prices: foreign price lists read into one form, and the list that the package brings along."""
