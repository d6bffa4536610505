"""What LiteLLM's map says of a model besides its prices."""

from collections.abc import Mapping
from typing import Any

from .listing import filled, text_of, whole

_MODES = {
    "completion": "chat",
    "responses": "chat",
    "image_generation": "image",
    "audio_transcription": "transcription",
    "audio_speech": "speech",
}
_SUPPORTS = {
    "tools": "supports_function_calling",
    "reasoning": "supports_reasoning",
    "structured_output": "supports_response_schema",
    "prompt_cache": "supports_prompt_caching",
}
_INPUTS = {
    "image": "supports_vision",
    "audio": "supports_audio_input",
    "video": "supports_video_input",
    "pdf": "supports_pdf_input",
}
_OUTPUTS = {"chat": "text", "image": "image", "speech": "audio", "transcription": "text"}


def facts(listed: Mapping[str, Any]) -> dict[str, object]:  # Any: JSON
    """Facts of one entry, without what it does not say."""
    mode = _mode(listed.get("mode"))
    inputs = ["text"] if mode != "transcription" else ["audio"]
    inputs += [
        name for name, key in _INPUTS.items() if listed.get(key) is True and name not in inputs
    ]
    outputs = [_OUTPUTS[mode]] if mode in _OUTPUTS else []
    if listed.get("supports_audio_output") is True and "audio" not in outputs:
        outputs.append("audio")
    limits = {
        "context_tokens": whole(listed.get("max_input_tokens")),
        "max_output_tokens": whole(listed.get("max_output_tokens")),
    }
    supports = {
        name: listed[key] for name, key in _SUPPORTS.items() if isinstance(listed.get(key), bool)
    }
    retires = text_of(listed.get("deprecation_date"))
    modal = {"input": inputs, "output": outputs} if mode else {}
    return filled({"mode": mode, **limits, **modal, **supports, "retires": retires})


def _mode(value: object) -> str | None:
    name = text_of(value)
    return _MODES.get(name, name) if name else None
