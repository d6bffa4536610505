"""How many tokens a text may have, where nobody has counted them."""

BYTES_PER_TOKEN = 4


def estimated_tokens(text: str) -> int:
    """Its words and a quarter of its bytes: more than most tokenizers count, never less than none.

    It is Rhetor's rule where that has no tokenizer, with bytes instead of letters, so that a script
    without spaces is not taken for one word.
    """
    return len(text.split()) + len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN
