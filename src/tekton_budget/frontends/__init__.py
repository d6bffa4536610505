"""The doors: each translates foreign words into the service's verbs, and its answers back."""
