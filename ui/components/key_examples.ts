// How to use an API key from a shell, from Python and from JavaScript: text to copy. The key is part of it, as it is
// shown this once; it has no character that any of the three would read as its own.

export interface KeyExample {
  /** Where the server is, such as "http://127.0.0.1:43119/"; ends with a slash. */
  baseUrl: string;
  key: string;
  /** For the chat; a word in its place when no model is known. */
  model: string | undefined;
}

export type KeyLanguage = "curl" | "python" | "javascript";

export const keyLanguages: readonly { id: KeyLanguage; label: string }[] = [
  { id: "curl", label: "curl" },
  { id: "python", label: "Python" },
  { id: "javascript", label: "JavaScript" },
];

export function writeKeyExample(
  language: KeyLanguage,
  { baseUrl, key, model = "a-model" }: KeyExample,
): string {
  const base = new URL("v1", baseUrl).href;
  // Ids of models are file names.
  const name = JSON.stringify(model);
  switch (language) {
    case "curl":
      return `curl ${base}/models \\\n  -H "Authorization: Bearer ${key}"\n`;
    case "python":
      return `from openai import OpenAI

client = OpenAI(
    base_url="${base}",
    api_key="${key}",
)
answer = client.chat.completions.create(
    model=${name},
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)
`;
    case "javascript":
      return `import OpenAI from "openai";

const client = new OpenAI({
  baseURL: "${base}",
  apiKey: "${key}",
});
const answer = await client.chat.completions.create({
  model: ${name},
  messages: [{ role: "user", content: "Hello" }],
});
console.log(answer.choices[0].message.content);
`;
  }
}
