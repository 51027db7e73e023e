// `bkg run MODEL`: a chat in the terminal. One shot with a prompt or piped input, else a conversation.

import { toPlainLines } from "../../../plugins/runtime/contract/plain_text.ts";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { type Client, connect } from "../client.ts";
import { clientOptions, type CliIo, type Command, exitCodes, UsageError } from "../command.ts";
import { printableLine } from "../terminal.ts";
import { pullUnlessThere } from "./model_pull.ts";

export const run: Command = {
  name: "run",
  summary: "Chat with a model, which is pulled first where it is not here.",
  usage: ["run MODEL", "run owner/name:Q8_0", 'run MODEL "PROMPT"', "run MODEL < FILE"],
  options: {
    system: { type: "string", value: "TEXT", description: "system message" },
    "max-tokens": { type: "string", value: "N", description: "longest answer, tokens" },
    temperature: { type: "string", value: "T", description: "0 to 2" },
    seed: { type: "string", value: "N", description: "same seed, same answer" },
    verbose: { type: "boolean", short: "v", description: "print tokens per second" },
    ...clientOptions,
  },
  async run(args, io) {
    const [name, ...words] = args.positionals;
    if (name === undefined) throw new UsageError("bkg run needs a MODEL; see bkg model list");
    const client = await connect(args, io);
    const model = await pullUnlessThere(name, { client, io });
    if (model === undefined) return exitCodes.interrupted;
    const chat: Chat = {
      client,
      io,
      verbose: args.flag("verbose"),
      settings: {
        model,
        ...number("maxTokens", args.text("max-tokens")),
        ...number("temperature", args.text("temperature")),
        ...number("seed", args.text("seed")),
      },
      messages: [],
    };
    setSystem(chat, args.text("system"));
    const prompt = words.length > 0 ? words.join(" ") : undefined;
    if (prompt === undefined && io.interactive) return await converse(chat);
    chat.messages.push({ role: "user", content: prompt ?? await io.readAll() });
    await answer(chat, undefined);
    return exitCodes.ok;
  },
};

interface Chat {
  client: Client;
  io: CliIo;
  verbose: boolean;
  settings: Record<string, unknown>;
  messages: { role: "system" | "user" | "assistant"; content: string }[];
}

interface ChatResult {
  text: string;
  usage: { promptTokens: number; cachedTokens: number; completionTokens: number };
  timings: { tokensPerSecond: number; promptMs: number };
  backend: string;
  threads: number;
}

const chatHelp = `  /clear          forget the conversation
  /system [TEXT]  set the system message, or remove it
  /exit           end (also Ctrl-D)
  Ctrl-C          stop the answer; at the prompt, end
`;

async function converse(chat: Chat): Promise<number> {
  const { io } = chat;
  using prompt = io.openPrompt();
  io.out(
    `${printableLine(String(chat.settings["model"]))} at ${chat.client.url}. /help for help\n`,
  );
  while (true) {
    prompt.onInterrupt = undefined;
    const line = await prompt.ask("> ");
    if (line === undefined) {
      io.out("\n");
      return exitCodes.ok;
    }
    const text = line.trim();
    if (text === "") continue;
    if (text.startsWith("/")) {
      if (obey(chat, text) === "end") return exitCodes.ok;
      continue;
    }
    chat.messages.push({ role: "user", content: text });
    const stopping = new AbortController();
    prompt.onInterrupt = () => stopping.abort();
    try {
      await answer(chat, stopping.signal);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      chat.messages.pop();
      io.err(`${printableLine(error.message)}\n`);
    }
  }
}

function obey(chat: Chat, line: string): "end" | "more" {
  const [command = "", ...rest] = line.split(/\s+/);
  switch (command) {
    case "/exit":
    case "/quit":
    case "/bye":
      return "end";
    case "/clear":
      chat.messages = chat.messages.filter(({ role }) => role === "system");
      chat.io.out("Cleared\n");
      return "more";
    case "/system":
      setSystem(chat, rest.join(" "));
      chat.io.out(rest.length > 0 ? "System message set\n" : "System message removed\n");
      return "more";
    default:
      chat.io.out(command === "/help" ? chatHelp : `There is no ${command}\n${chatHelp}`);
      return "more";
  }
}

function setSystem(chat: Chat, text: string | undefined): void {
  chat.messages = chat.messages.filter(({ role }) => role !== "system");
  if (text) chat.messages.unshift({ role: "system", content: text });
}

/** Prints one answer as it comes and keeps it; a stopped answer is kept as far as it came. */
async function answer(chat: Chat, signal: AbortSignal | undefined): Promise<void> {
  const { io, client, messages, settings } = chat;
  let text = "";
  let result: ChatResult | undefined;
  try {
    const input = { ...settings, messages };
    const options = signal === undefined ? {} : { signal };
    for await (const event of client.events("/api/capabilities/llm.chat", input, options)) {
      if (event.kind === "result") result = event.value as ChatResult;
      else {
        const { delta } = event.value as { delta: string };
        text += delta;
        io.out(toPlainLines(delta));
      }
    }
  } catch (error) {
    if (text !== "") io.out("\n");
    if (!signal?.aborted) throw error;
  }
  io.out(result === undefined ? " [stopped]\n" : "\n");
  messages.push({ role: "assistant", content: text });
  if (chat.verbose && result !== undefined) {
    const { usage, timings, backend, threads } = result;
    io.err(
      printableLine(
        `${
          timings.tokensPerSecond.toFixed(1)
        } tokens/s, ${usage.completionTokens} tokens; prompt ` +
          `${usage.promptTokens} (${usage.cachedTokens} cached) in ${
            timings.promptMs.toFixed(0)
          } ms; ` +
          `${backend}, ${threads} thread(s)`,
      ) + "\n",
    );
  }
}

function number(name: string, text: string | undefined): Record<string, number> {
  if (text === undefined) return {};
  if (text.trim() === "" || !Number.isFinite(Number(text))) {
    throw new UsageError(`"${text}" is no number`);
  }
  return { [name]: Number(text) };
}
