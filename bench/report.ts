// A row of the benchmark report, and the page that the rows become.

export interface Row {
  what: string;
  /** The figure, with its unit. */
  measured: string;
  /** What it is compared with in the same run, with its figure. */
  reference: string;
  budget: string;
  met: boolean | "reported";
}

export interface Section {
  title: string;
  /** How it was measured, one paragraph. */
  how: string;
  rows: Row[];
}

export function renderReport(sections: readonly Section[], machine: string): string {
  const parts = [
    "# Benchmarks",
    "",
    "Made by `deno task bench`: each figure beside its reference in the same run, rounds interleaved, " +
    "medians. Machines are noisy: compare ratios, not figures of different runs.",
    "",
    machine,
  ];
  for (const { title, how, rows } of sections) {
    parts.push("", `## ${title}`, "", how, "");
    parts.push("| what | measured | reference, same run | budget | met |", "| - | - | - | - | - |");
    for (const { what, measured, reference, budget, met } of rows) {
      const verdict = met === "reported" ? "reported" : met ? "yes" : "**no**";
      parts.push(`| ${what} | ${measured} | ${reference} | ${budget} | ${verdict} |`);
    }
  }
  return parts.join("\n") + "\n";
}

/** The middle value; the mean of the two middle ones of an even count. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  if (low === undefined || high === undefined) throw new Error("no values");
  return (low + high) / 2;
}

export function describeMachine(): string {
  const cpu = /^model name\s*:\s*(.+)$/m.exec(readText("/proc/cpuinfo"))?.[1] ?? Deno.build.arch;
  const memory = Math.round(Deno.systemMemoryInfo().total / 2 ** 30);
  const load = Deno.loadavg()[0]?.toFixed(1);
  return `${
    new Date().toISOString().slice(0, 10)
  }, ${navigator.hardwareConcurrency} cores (${cpu}), ` +
    `${memory} GiB, Deno ${Deno.version.deno}, load ${load} at the start.`;
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
