// The official JavaScript SDKs with all their defaults: whole, streamed, with tools, and parsed.
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";

const said = [{ role: "user", content: "Say hi" }];
const parameters = { type: "object", properties: { text: { type: "string" } } };
const model = process.argv[2];
const api = process.argv[3];
const told = [];
let sent = 0;
const counting = (url, options) => { sent += 1; return fetch(url, options); };

async function all(stream) {
  const found = [];
  for await (const one of stream) found.push(one);
  return found;
}

async function chat() {
  const openai = new OpenAI({ fetch: counting });
  const tools = [{ type: "function", function: { name: "look", parameters } }];
  told.push((await openai.chat.completions.create({ model, messages: said })).choices[0].message.content);
  told.push((await openai.chat.completions.create({ model, messages: said, tools })).choices[0].message.content);
  told.push((await all(await openai.chat.completions.create({ model, messages: said, stream: true })))
    .map((chunk) => chunk.choices[0]?.delta?.content ?? "").join(""));
  const stream = openai.responses.stream({ model, input: "Say hi" });
  told.push((await stream.finalResponse()).output_text);
}

async function messages() {
  const anthropic = new Anthropic({ fetch: counting });
  const asked = { model, max_tokens: 500, messages: said };
  const counted = await anthropic.messages.countTokens({ model, messages: said });
  if (!(counted.input_tokens > 0)) throw new Error("nothing counted");
  sent -= 1;
  told.push((await anthropic.messages.create(asked)).content[0].text);
  const tools = [{ name: "look", input_schema: parameters }];
  told.push(await anthropic.messages.stream({ ...asked, tools }).finalText());
}

async function generate() {
  const google = new GoogleGenAI({ apiKey: process.env.GEMINI_API_KEY });
  told.push((await google.models.generateContent({ model, contents: "Say hi" })).text);
  told.push((await all(await google.models.generateContentStream({ model, contents: "Say hi" })))
    .map((chunk) => chunk.text ?? "").join(""));
}

try {
  await { chat, messages, generate }[api]();
} catch (error) {
  console.log(JSON.stringify({ error: error.constructor.name, status: error.status, sent }));
  console.error(error.message);
  process.exit(1);
}
console.log(told.join("\n"));
