// Which backend each engine has in which home. docs/engines.md prints it; the tests of each home run the suite for every
// "yes", and see every "no" answered with UNSUPPORTED_FEATURE.

import { type Backend, backends } from "../engine.ts";
import { caseNames } from "./run_case.ts";
import type { SuiteEngine } from "./suite.ts";

/** A plugin's cell on a server, and a browser's page. */
export type Home = "cell" | "chromium";

/** `words`: what it takes where it works, and why not where it does not. */
export interface Support {
  works: boolean;
  words: string;
}

export const suiteEngines: readonly SuiteEngine[] = ["wllama", "onnx", "transformers"];

const yes = (words = ""): Support => ({ works: true, words });
const no = (words: string): Support => ({ works: false, words });

const anywhere = { cell: yes(), chromium: yes() };
const cellGpu = yes("after `bkg engine add webgpu`");
const native = {
  cell: yes("after `bkg engine add cpu`, for trusted models"),
  chromium: no("a page has no native engines"),
};
const onnxSupport = {
  wasm: anywhere,
  webgpu: { cell: cellGpu, chromium: yes("where the browser offers WebGPU") },
  native,
};

export const support: Readonly<Record<SuiteEngine, Record<Backend, Record<Home, Support>>>> = {
  wllama: {
    wasm: anywhere,
    webgpu: {
      cell: cellGpu,
      chromium: no(
        "the tests' GPU (SwiftShader) has no `shader-f16`, and is refused; one that has it is untested",
      ),
    },
    native,
  },
  onnx: onnxSupport,
  transformers: onnxSupport,
};

/** Markdown: a row for each engine and backend, and below what a yes stands for. */
export function renderSupport(): string {
  const rows = suiteEngines.flatMap((engine) =>
    backends.map((backend) => {
      const { cell, chromium } = support[engine][backend];
      return [`\`${engine}\``, `\`${backend}\``, renderCell(cell), renderCell(chromium)];
    })
  );
  const table = [["engine", "backend", "in a cell of the server", "in Chromium"], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map((row) =>
    `| ${row.map((text, column) => text.padEnd(widths[column]!)).join(" | ")} |`
  );
  lines.splice(1, 0, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`);
  return [...lines, "", ...meaning, "", ...suiteEngines.flatMap(renderCases)].join("\n");
}

const meaning = [
  "Each yes is tested on models that run, by the cases below. Each no answers 400",
  "`UNSUPPORTED_FEATURE`, and so does what the operator has not added: no other backend is taken in its",
  "place. WebGPU is tested in software: by Mesa's llvmpipe in cells, by SwiftShader in Chromium.",
];

function renderCell({ works, words }: Support): string {
  return `${works ? "yes" : "no"}${words === "" ? "" : works ? `, ${words}` : `: ${words}`}`;
}

function renderCases(engine: SuiteEngine): string[] {
  const always = caseNames(engine, "wasm");
  const lines = caseNames(engine, "webgpu").map((name) =>
    `- ${name}${always.includes(name) ? "" : " (`webgpu`)"}`
  );
  return [`A yes of \`${engine}\`:`, "", ...lines, ""];
}
