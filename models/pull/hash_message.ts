// What a pull and its hashing Worker say to each other.

/** The file's path, then how far it may be read, ever farther. `last` asks for the digest at that point. */
export type HashTask = { path: string } | { until: number; last: boolean };

/** How far it came, or the hexadecimal SHA-256; `failed` ends it. */
export type HashAnswer = { position: number } | { digest: string } | { failed: string };
