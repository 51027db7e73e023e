// Renders chat templates in a Worker of its own: a template is a program by whoever made the model, and may not end.
// It is stopped from within: Deno 2.9.6 cannot end a Worker that computes. One message in, one out.

import { Interpreter, Template } from "@huggingface/jinja";

export interface RenderRequest {
  template: string;
  variables: Record<string, unknown>;
  /** Milliseconds that it may take. */
  limitMs: number;
}

export type RenderReply =
  /** Comes once, when it is up. */
  | { kind: "ready" }
  | { kind: "text"; text: string }
  /** The template itself cannot be read, or it refused what it was given. */
  | { kind: "unreadable"; message: string }
  | { kind: "refused"; message: string }
  | { kind: "endless" };

declare const self: {
  addEventListener(type: "message", listener: (event: MessageEvent<RenderRequest>) => void): void;
  postMessage(reply: RenderReply): void;
};

let deadline = Infinity;
const { evaluate } = Interpreter.prototype;
/** Asked for each part of a template that is run, each round of a loop included. */
Interpreter.prototype.evaluate = function (...part) {
  if (performance.now() > deadline) throw new Endless();
  return evaluate.apply(this, part);
};

self.addEventListener("message", ({ data }) => self.postMessage(render(data)));
self.postMessage({ kind: "ready" });

function render({ template, variables, limitMs }: RenderRequest): RenderReply {
  let read: Template;
  try {
    read = new Template(template);
  } catch (error) {
    return { kind: "unreadable", message: describe(error) };
  }
  try {
    deadline = performance.now() + limitMs;
    return { kind: "text", text: read.render(variables) };
  } catch (error) {
    if (error instanceof Endless) return { kind: "endless" };
    return { kind: "refused", message: describe(error) };
  }
}

class Endless extends Error {}

function describe(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 500);
}
