// The printed table: one line for each case and prelude.

import type { Outcome } from "./run_case.ts";

export interface Row extends Outcome {
  theme: string;
  /** The worst latency of the bystander during this case, ms. */
  bystanderMs: number;
}

export function printTable(rows: readonly Row[]): void {
  const cells = [
    [
      "case",
      "prelude",
      "error code",
      "stop reason",
      "took ms",
      "limit ms",
      "bystander ms",
      "verdict",
    ],
    ...rows.map((row) => [
      `${row.theme}: ${row.name}`,
      row.prelude ? "with" : "without",
      row.code,
      row.stop,
      row.tookMs.toFixed(0),
      String(row.limitMs),
      row.bystanderMs.toFixed(0),
      row.problems.length === 0 ? "contained" : "NOT AS EXPECTED",
    ]),
  ];
  const widths = cells[0]?.map((_, column) =>
    Math.max(...cells.map((line) => line[column]?.length ?? 0))
  );
  for (const line of cells) {
    console.log(line.map((text, column) => text.padEnd(widths?.[column] ?? 0)).join(" | "));
  }
}
