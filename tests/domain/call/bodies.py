"""Requests as real programs send them, and the least that each API takes."""

from typing import Any

from tekton_budget.domain.call import Api

Body = dict[str, Any]

LEAST: dict[Api, Body] = {
    Api.OPENAI_CHAT: {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]},
    Api.OPENAI_RESPONSES: {"model": "gpt-4o", "input": "Hi"},
    Api.OPENAI_COMPLETIONS: {"model": "gpt-3.5-turbo-instruct", "prompt": "Hi"},
    Api.OPENAI_EMBEDDINGS: {"model": "text-embedding-3-small", "input": "Hi"},
    Api.ANTHROPIC_MESSAGES: {
        "model": "claude-sonnet-4-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hi"}],
    },
    Api.GEMINI_GENERATE: {
        "model": "gemini-2.5-flash",
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
    },
    Api.GEMINI_EMBED: {"model": "gemini-embedding-001", "content": {"parts": [{"text": "Hi"}]}},
}

EPHEMERAL = {"type": "ephemeral"}

CLAUDE_CODE: Body = {
    "model": "claude-sonnet-4-5-20250929",
    "max_tokens": 32_000,
    "stream": True,
    "temperature": 1,
    "metadata": {"user_id": "user_0a1b_account__session_2c3d"},
    "system": [
        {"type": "text", "text": "You are a coding agent.", "cache_control": EPHEMERAL},
        {"type": "text", "text": "# Rules\n" + "Be brief. " * 200, "cache_control": EPHEMERAL},
    ],
    "tools": [
        {
            "name": "Bash",
            "description": "Run a command.",
            "input_schema": {
                "type": "object",
                "properties": {"command": {"type": "string"}},
                "required": ["command"],
            },
        },
        {
            "name": "Read",
            "description": "Read a file.",
            "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
            "cache_control": EPHEMERAL,
        },
    ],
    "thinking": {"type": "enabled", "budget_tokens": 31_999},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "output_config": {"effort": "high"},
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Fix the test."}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Let me look.", "signature": "RXJn" * 40},
                {"type": "text", "text": "I will look."},
                {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": [{"type": "text", "text": "a.py\nb.py"}],
                    "cache_control": EPHEMERAL,
                }
            ],
        },
    ],
}

CODEX: Body = {
    "model": "gpt-5-codex",
    "instructions": "You are a coding agent.",
    "input": [
        {
            "type": "message",
            "role": "developer",
            "content": [{"type": "input_text", "text": "<permissions>…</permissions>"}],
        },
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Fix the test."}],
        },
        {"type": "reasoning", "summary": [], "encrypted_content": "gAAA" * 60},
        {
            "type": "function_call",
            "name": "shell",
            "arguments": '{"command":["ls"]}',
            "call_id": "call_1",
        },
        {"type": "function_call_output", "call_id": "call_1", "output": "a.py\nb.py"},
        {"type": "custom_tool_call", "name": "apply_patch", "input": "*** Begin", "call_id": "c2"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "Done"},
    ],
    "tools": [
        {
            "type": "function",
            "name": "shell",
            "description": "Run a command.",
            "strict": False,
            "parameters": {"type": "object", "properties": {"command": {"type": "array"}}},
        },
        {"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark"}},
        {"type": "local_shell"},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "0197-session",
    "text": {"verbosity": "medium"},
    "client_metadata": {"x-codex-installation-id": "1"},
}

AIDER: Body = {
    "model": "gpt-4.1",
    "messages": [
        {"role": "system", "content": "Act as an expert software developer."},
        {"role": "user", "content": "Fix the test."},
    ],
    "temperature": 0,
    "stream": True,
    "stream_options": {"include_usage": True},
}

OPENCODE: Body = {
    "model": "anthropic/claude-sonnet-4.5",
    "max_tokens": 32_000,
    "messages": [
        {
            "role": "system",
            "content": [{"type": "text", "text": "You are…", "cache_control": EPHEMERAL}],
        },
        {"role": "user", "content": "Fix the test."},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "bash", "arguments": '{"command":"ls"}'},
                }
            ],
            "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "a.py"},
    ],
    "tools": [{"type": "function", "function": {"name": "bash", "parameters": {}}}],
    "tool_choice": "auto",
    "stream": True,
    "usage": {"include": True},
    "reasoning": {"effort": "high"},
}

LANGCHAIN: Body = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Hi", "name": None}],
    "n": 1,
    "stream": False,
    "temperature": 0.7,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "Answer", "schema": {"type": "object"}, "strict": True},
    },
    "parallel_tool_calls": False,
    "tools": [],
    "stop": None,
}

GEMINI_CLI: Body = {
    "contents": [
        {"role": "user", "parts": [{"text": "Fix the test."}]},
        {
            "role": "model",
            "parts": [
                {"text": "Let me look.", "thought": True},
                {
                    "functionCall": {"name": "shell", "args": {"command": "ls"}},
                    "thoughtSignature": "c2ln" * 20,
                },
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "1", "name": "shell", "response": {"output": "a.py"}}}
            ],
        },
    ],
    "systemInstruction": {"role": "user", "parts": [{"text": "You are a coding agent."}]},
    "tools": [
        {
            "functionDeclarations": [
                {"name": "shell", "parametersJsonSchema": {"type": "object", "properties": {}}}
            ]
        }
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
    "generationConfig": {
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 8192},
    },
}

AGENTS: dict[str, tuple[Api, Body]] = {
    "Claude Code": (Api.ANTHROPIC_MESSAGES, CLAUDE_CODE),
    "Codex": (Api.OPENAI_RESPONSES, CODEX),
    "aider": (Api.OPENAI_CHAT, AIDER),
    "opencode": (Api.OPENAI_CHAT, OPENCODE),
    "LangChain": (Api.OPENAI_CHAT, LANGCHAIN),
    "Gemini CLI": (Api.GEMINI_GENERATE, GEMINI_CLI),
}


def texts_in(value: object) -> int:
    """The bytes of all texts of a value, names left out."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, dict):
        return sum(map(texts_in, value.values()))
    return sum(map(texts_in, value)) if isinstance(value, list) else 0
