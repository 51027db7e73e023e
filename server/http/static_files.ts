// The files of the page, as the HTTP layer sees them: made by the build, read by compose.

export interface StaticFiles {
  /** `path` as in the URL, such as "/assets/main-ABC123.js"; undefined when there is no such file. */
  get(path: string): StaticFile | undefined;
  /** The page that every path of the UI answers with. */
  readonly page: StaticFile;
}

export interface StaticFile {
  contentType: string;
  bytes: Uint8Array<ArrayBuffer>;
  brotli?: Uint8Array<ArrayBuffer>;
  gzip?: Uint8Array<ArrayBuffer>;
  /** Strong, quoted: `"<sha256 hex>"`. */
  etag: string;
  /** Whether the name holds the content's hash, so that it may be kept for good. */
  immutable: boolean;
  /** A Content-Security-Policy of its own: scripts that become Workers, the frame for strangers. */
  contentSecurityPolicy?: string;
}
