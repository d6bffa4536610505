import sys

import litellm

said = [{"role": "user", "content": "Say hi"}]
print(litellm.completion(model=sys.argv[1], messages=said).choices[0].message.content)
for chunk in litellm.completion(model=sys.argv[1], messages=said, stream=True):
    print(chunk.choices[0].delta.content or "", end="")
