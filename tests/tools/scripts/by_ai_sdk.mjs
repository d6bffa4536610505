import { generateText, streamText } from "ai";
import { openai } from "@ai-sdk/openai";
import { anthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";

// This one reads its address from no variable.
const google = createGoogleGenerativeAI({ baseURL: `${process.env.BUDGET_GATEWAY_URL}/gemini/v1beta` });
const [seller, name] = process.argv[2].split("/");
const model = { openai, anthropic, google }[seller](name);
console.log((await generateText({ model, prompt: "Say hi" })).text);
const stream = streamText({ model, prompt: "Say hi", onError: ({ error }) => { throw error; } });
for await (const text of stream.textStream) process.stdout.write(text);
