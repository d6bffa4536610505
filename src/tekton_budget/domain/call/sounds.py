"""How many tokens a sound can be at most, from its bytes alone."""

# No MP3 has less than 1,000 bytes a second and no WAV in use less than 1,600, and no model takes
# more than 40 tokens a second.
_BYTES_PER_TOKEN = 25
_DENSE = frozenset({"mp3", "mpeg", "wav", "x-wav", "wave"})
# Silence packs into less than a byte a token in FLAC; and no request holds more than this.
SOUND_MAX = 1_100_000  # 9.5 hours at 32 tokens a second, Gemini's limit
VIDEO_SOUND_MAX = 350_000  # a third of a window of a million: the rest is pictures


def sound_tokens(base64_text: str, kind: str) -> int:
    """The most tokens of a sound of so many bytes; `kind` is its format or media subtype."""
    count = -(-len(base64_text) * 3 // 4)
    if kind in _DENSE:
        return min(SOUND_MAX, -(-count // _BYTES_PER_TOKEN) + 40)
    return min(SOUND_MAX, 2 * count + 40)
