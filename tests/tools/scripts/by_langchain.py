import sys

from langchain_core.tools import tool


@tool
def look(text: str) -> str:
    """Look something up."""
    return text


seller, _, name = sys.argv[1].partition(":")
if seller == "openai":
    from langchain_openai import ChatOpenAI as Chat
elif seller == "anthropic":
    from langchain_anthropic import ChatAnthropic as Chat
else:
    from langchain_google_genai import ChatGoogleGenerativeAI as Chat

model = Chat(model=name)
print(model.invoke("Say hi").text)
print(model.bind_tools([look]).invoke("Say hi").text)
print("".join(chunk.text for chunk in model.stream("Say hi")))
