"""OpenAI's APIs, which most other providers speak too."""
