// What passwords.ts and its Worker say to each other: one task at a time, one answer each.

export interface PasswordCost {
  memoryKib: number;
  passes: number;
}

export type PasswordTask =
  | { kind: "hash"; password: string; salt: Uint8Array; cost: PasswordCost }
  | { kind: "verify"; password: string; hash: string };

export type PasswordAnswer = { value: string | boolean } | { failed: string };
