// Shows Markdown that grows: a finished block is rendered once, the last one at most once a frame, and never more
// than a frame's share at a time. Text is shown as it is until the renderer was loaded, or when it takes too long.

import { type Block, type BlockSplitter, closeOpenMarks, createBlockSplitter } from "./blocks.ts";
import { type CodeFrame, createCodeFrame } from "./code_frame.ts";

type Renderer = typeof import("./render.ts");

let renderer: Renderer | undefined;
let rendererLoading: Promise<void> | undefined;

/** Loads what answers are rendered with, so that it is there when the server is not. */
export function preloadRenderer(): Promise<void> {
  rendererLoading ??= Promise.all([import("./render.ts"), import("./highlight.ts")]).then(
    ([loaded]) => void (renderer = loaded),
    () => void (rendererLoading = undefined),
  );
  return rendererLoading;
}

export interface BlockListOptions {
  /** Told after each step: how much is not shown, characters. */
  rendered(state: { hiddenChars: number }): void;
}

export class BlockList {
  readonly #container: HTMLElement;
  readonly #options: BlockListOptions;
  #splitter: BlockSplitter = createBlockSplitter();
  #text = "";
  #ended = false;
  /** How many finished blocks are shown, and their size. */
  #shown = 0;
  #shownChars = 0;
  #cost = 0;
  /** How much of the text the splitter has, and whether it has its end. */
  #cutChars = 0;
  #splitterEnded = false;
  #all = false;
  #open: { element: HTMLElement; text: string; frame?: CodeFrame } | undefined;
  /** A block that took too long is plain text until it is finished. */
  #slowUntil = -1;
  #frame: number | undefined;

  constructor(container: HTMLElement, options: BlockListOptions) {
    this.#container = container;
    this.#options = options;
  }

  update(text: string, { growing }: { growing: boolean }): void {
    if (text === this.#text && growing === !this.#ended) return;
    if (this.#ended || !text.startsWith(this.#text)) this.#restart();
    this.#text = text;
    this.#ended = !growing;
    this.#work();
  }

  showAll(): void {
    this.#all = true;
    this.#work();
  }

  stop(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#frame = undefined;
  }

  #restart(): void {
    this.stop();
    this.#splitter = createBlockSplitter();
    this.#text = "";
    this.#ended = false;
    this.#shown = 0;
    this.#shownChars = 0;
    this.#cost = 0;
    this.#cutChars = 0;
    this.#splitterEnded = false;
    this.#open = undefined;
    this.#slowUntil = -1;
    this.#container.replaceChildren();
  }

  #work(): void {
    this.stop();
    if (renderer === undefined) void this.#waitForRenderer();
    const startedMs = performance.now();
    while (!this.#isFull() && (this.#showNext() || this.#cutNext())) {
      if (performance.now() - startedMs > stepMs) return this.#later();
    }
    const open = this.#splitter.open();
    const isAll = this.#shown === this.#splitter.done.length &&
      this.#cutChars === this.#text.length && (open === undefined || !this.#isFull());
    this.#showOpen(isAll ? open : undefined);
    const hiddenChars = isAll ? 0 : Math.max(1, this.#text.length - this.#shownChars);
    this.#options.rendered({ hiddenChars });
  }

  /** Shows a finished block, if there is another one. */
  #showNext(): boolean {
    const block = this.#splitter.done[this.#shown];
    if (block === undefined) return false;
    this.#showDone(block);
    this.#shown++;
    return true;
  }

  /** Cuts some more of the text into blocks, if there is more. */
  #cutNext(): boolean {
    const rest = this.#text.length - this.#cutChars;
    if (rest === 0 && (!this.#ended || this.#splitterEnded)) return false;
    this.#splitter.push(this.#text.slice(this.#cutChars, this.#cutChars + stepChars));
    this.#cutChars += Math.min(rest, stepChars);
    this.#splitterEnded = this.#ended && this.#cutChars === this.#text.length;
    if (this.#splitterEnded) this.#splitter.end();
    return true;
  }

  #later(): void {
    this.#frame = requestAnimationFrame(() => {
      this.#frame = undefined;
      this.#work();
    });
  }

  async #waitForRenderer(): Promise<void> {
    await preloadRenderer();
    if (renderer === undefined || this.#shown + (this.#open === undefined ? 0 : 1) === 0) return;
    const text = this.#text;
    const growing = !this.#ended;
    this.#restart();
    this.update(text, { growing });
  }

  #showDone(block: Block): void {
    this.#shownChars += block.text.length;
    const lines = block.text.split("\n", maxLines).length;
    this.#cost += Math.min(block.text.length, maxBlockCost) + lines * lineCost;
    const open = this.#open;
    this.#open = undefined;
    if (block.kind === "code" && open?.frame !== undefined) {
      open.frame.update(block.text);
      open.frame.finish();
      return;
    }
    const element = open?.element ?? this.#append();
    if (block.kind === "code") {
      const frame = createCodeFrame(block.language);
      frame.update(block.text);
      frame.finish();
      element.replaceChildren(frame.element);
    } else {
      fill(element, block);
    }
  }

  #showOpen(block: Block | undefined): void {
    if (block === undefined) {
      this.#open?.element.remove();
      this.#open = undefined;
      return;
    }
    const isCode = block.kind === "code";
    if (this.#open !== undefined && (this.#open.frame !== undefined) !== isCode) {
      this.#open.element.replaceChildren();
      this.#open = { element: this.#open.element, text: "" };
    }
    this.#open ??= { element: this.#append(), text: "" };
    const open = this.#open;
    if (isCode) {
      if (open.frame === undefined) {
        open.frame = createCodeFrame(block.language);
        open.element.replaceChildren(open.frame.element);
      }
      open.frame.update(block.text);
    } else if (open.text !== block.text) {
      const startedMs = performance.now();
      const slow = this.#slowUntil === this.#shown;
      fill(open.element, {
        kind: slow ? "plain" : block.kind,
        text: slow ? block.text : closeOpenMarks(block.text),
      });
      if (performance.now() - startedMs > slowMs) this.#slowUntil = this.#shown;
    }
    open.text = block.text;
  }

  #isFull(): boolean {
    return !this.#all && (this.#cost >= firstCost || this.#shown >= firstBlocks);
  }

  /** Blocks come in sections, which are not laid out while they are out of sight. */
  #append(): HTMLElement {
    if (this.#shown % sectionBlocks === 0 || this.#container.lastElementChild === null) {
      const section = document.createElement("div");
      section.className = "section";
      this.#container.append(section);
    }
    const element = document.createElement("div");
    element.className = "block";
    this.#container.lastElementChild!.append(element);
    return element;
  }
}

function fill(element: HTMLElement, block: Exclude<Block, { kind: "code" }>): void {
  if (block.kind === "markdown" && renderer !== undefined) {
    try {
      element.replaceChildren(renderer.renderMarkdown(block.text, { frameCode }));
      return;
    } catch {
      // Whatever the parser trips over is shown as it is.
    }
  }
  const plain = document.createElement("p");
  plain.className = "plain";
  plain.dir = "auto";
  plain.textContent = block.text.trimEnd();
  element.replaceChildren(plain);
}

function frameCode({ language, text }: { language: string; text: string }): HTMLElement {
  const frame = createCodeFrame(language);
  frame.update(text);
  frame.finish();
  return frame.element;
}

/** Shown of a text before its reader asks for more. */
const firstBlocks = 500;
const firstCost = 100_000;
/** What a line costs to lay out, as characters; code shows no more than its first lines. */
const lineCost = 40;
const maxLines = 400;
const maxBlockCost = 40_000;
/** Cut into blocks at once, characters. */
const stepChars = 16_384;
/** Work of one frame. */
const stepMs = 8;
const slowMs = 16;
const sectionBlocks = 40;
