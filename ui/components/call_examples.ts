// How to call a capability from a shell, from JavaScript and from Python: text to copy, quoted for each language.
// The key is never part of it: all three read the environment's TOKEN.

export interface ExampleCall {
  /** Where the server is, such as "http://127.0.0.1:43119/"; ends with a slash. */
  baseUrl: string;
  capability: string;
  input: unknown;
  streaming: boolean;
}

export type ExampleLanguage = "curl" | "javascript" | "python";

export const exampleLanguages: readonly { id: ExampleLanguage; label: string }[] = [
  { id: "curl", label: "curl" },
  { id: "javascript", label: "JavaScript" },
  { id: "python", label: "Python" },
];

export function writeCallExample(language: ExampleLanguage, call: ExampleCall): string {
  switch (language) {
    case "curl":
      return curlExample(call);
    case "javascript":
      return javascriptExample(call);
    case "python":
      return pythonExample(call);
  }
}

/** One word for a POSIX shell, whatever it holds; NUL cannot be in it. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** JSON that shows all that it holds: what is invisible, or turns text around, is escaped. */
export function plainJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(value ?? null, undefined, indent);
  return text.replaceAll(invisible, (found) => {
    return `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** A literal of Python; its strings are JSON's. */
export function pythonLiteral(value: unknown, depth = 0): string {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value !== "object") return plainJson(value);
  const pad = "    ".repeat(depth + 1);
  const end = `\n${"    ".repeat(depth)}`;
  const join = (open: string, parts: string[], close: string) =>
    parts.length === 0
      ? open + close
      : `${open}\n${parts.map((part) => `${pad}${part},`).join("\n")}${end}${close}`;
  if (Array.isArray(value)) {
    return join("[", value.map((item: unknown) => pythonLiteral(item, depth + 1)), "]");
  }
  const parts = Object.entries(value).map(([name, item]) =>
    `${plainJson(name)}: ${pythonLiteral(item, depth + 1)}`
  );
  return join("{", parts, "}");
}

// Controls, soft hyphen, zero-width and bidi marks, line separators, fillers, the byte order mark.
const invisible =
  /[\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]/g;

function addressOf({ baseUrl, capability }: ExampleCall): string {
  return new URL(`api/capabilities/${encodeURIComponent(capability)}`, baseUrl).href;
}

function curlExample(call: ExampleCall): string {
  return [
    call.streaming ? "curl -sS --no-buffer" : "curl -sS",
    shellWord(addressOf(call)),
    ...(call.streaming ? ["-H 'Accept: text/event-stream'"] : []),
    `-H "Authorization: Bearer $TOKEN"`,
    "-H 'Content-Type: application/json'",
    `--data-raw ${shellWord(plainJson(call.input, 2))}`,
  ].join(" \\\n  ");
}

function javascriptExample(call: ExampleCall): string {
  const head = `const response = await fetch(${plainJson(addressOf(call))}, {
  method: "POST",
  headers: {
    "Authorization": \`Bearer \${process.env.TOKEN}\`,
    "Content-Type": "application/json",${
    call.streaming ? '\n    "Accept": "text/event-stream",' : ""
  }
  },
  body: JSON.stringify(${indented(plainJson(call.input, 2), "  ")}),
});
if (!response.ok) throw new Error(await response.text());
`;
  if (!call.streaming) return `${head}console.log(await response.json());\n`;
  return `${head}let text = "";
for await (const bytes of response.body.pipeThrough(new TextDecoderStream())) {
  text += bytes;
  const events = text.split("\\n\\n");
  text = events.pop();
  for (const event of events) {
    const data = /^data: (.*)$/m.exec(event);
    if (data !== null) console.log(JSON.parse(data[1]));
  }
}
`;
}

function pythonExample(call: ExampleCall): string {
  const accept = call.streaming ? '\n        "Accept": "text/event-stream",' : "";
  const head = `import json, os, urllib.request

request = urllib.request.Request(
    ${plainJson(addressOf(call))},
    data=json.dumps(${pythonLiteral(call.input, 1)}).encode(),
    headers={
        "Authorization": "Bearer " + os.environ["TOKEN"],
        "Content-Type": "application/json",${accept}
    },
)
with urllib.request.urlopen(request) as response:
`;
  if (!call.streaming) return `${head}    print(json.load(response))\n`;
  return `${head}    for line in response:
        if line.startswith(b"data: "):
            print(json.loads(line[6:]))
`;
}

/** Strings hold no line breaks in JSON, so every break is between values. */
function indented(text: string, pad: string): string {
  return text.replaceAll("\n", `\n${pad}`);
}
