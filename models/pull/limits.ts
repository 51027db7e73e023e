// The bounds of a pull: how much at a time, how long it waits, how often it tries again. Tests make them small.

export interface PullLimits {
  /** Ranges of one file that are fetched at a time. */
  connections: number;
  /** Bytes of one range. */
  segmentBytes: number;
  /** Files up to so many bytes are asked for whole. */
  smallFileBytes: number;
  redirects: number;
  /** For a name's addresses, a connection and an answer's headers together. */
  headersTimeoutMs: number;
  /** A body that brings less than `silenceBytes` in so long is given up. */
  silenceMs: number;
  silenceBytes: number;
  /** Of the hub's answers. */
  jsonBytes: number;
  /** Failures in a row, without a byte worth mentioning between them. */
  tries: number;
  firstBackoffMs: number;
  maxBackoffMs: number;
  /** The longest that a server may make us wait at once. */
  maxRetryAfterMs: number;
  /** How often progress is made durable. */
  checkpointMs: number;
  /** What stays free on the disk. */
  reservedDiskBytes: number;
  /** Of a file whose size nobody tells. */
  unknownFileBytes: number;
}

export const pullLimits: Readonly<PullLimits> = {
  connections: 4,
  segmentBytes: 16 * 1024 ** 2,
  smallFileBytes: 1024 ** 2,
  redirects: 5,
  headersTimeoutMs: 30_000,
  silenceMs: 30_000,
  silenceBytes: 16 * 1024,
  jsonBytes: 16 * 1024 ** 2,
  tries: 8,
  firstBackoffMs: 500,
  maxBackoffMs: 30_000,
  maxRetryAfterMs: 120_000,
  checkpointMs: 500,
  reservedDiskBytes: 64 * 1024 ** 2,
  unknownFileBytes: 64 * 1024 ** 3,
};
