// What a safetensors header may at most claim.

export interface SafetensorsLimits {
  /** The format's own limit, bytes. */
  headerBytes: number;
  tensorCount: number;
  metadataCount: number;
  /** A tensor's name, a metadata key; as it is written, bytes. */
  nameBytes: number;
  /** A metadata value that is longer is passed over; bytes. */
  shownBytes: number;
  rank: number;
}

export const safetensorsLimits: Readonly<SafetensorsLimits> = Object.freeze({
  headerBytes: 100_000_000,
  tensorCount: 262_144,
  metadataCount: 1000,
  nameBytes: 1024,
  shownBytes: 16 * 1024,
  rank: 64,
});
