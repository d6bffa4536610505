import sys

from pydantic_ai import Agent

agent = Agent(sys.argv[1], instructions="Be brief.")


@agent.tool_plain
def look(text: str) -> str:
    """Look something up."""
    return text


print(agent.run_sync("Say hi").output)
with agent.run_stream_sync("Say hi") as stream:
    print("".join(stream.stream_text(delta=True)))
