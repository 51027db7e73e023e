// A registry of packages on the loopback, and packages to be in it: small, and as hostile as a test wants them.

import { createHash } from "node:crypto";
import type { EnginePin } from "../engines/pins.ts";

export interface PackedEntry {
  /** Below "package/", unless `rawName` is given. */
  path?: string;
  rawName?: string;
  bytes?: Uint8Array<ArrayBuffer>;
  /** tar's type flag; default "0", a file. */
  flag?: string;
  linkName?: string;
  /** What the header says, whatever comes. */
  declaredSize?: number;
  brokenChecksum?: boolean;
}

/** tar and gzip. */
export function pack(
  entries: readonly PackedEntry[],
  { end = true }: { end?: boolean } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const blocks: Uint8Array<ArrayBuffer>[] = [];
  for (const entry of entries) {
    const { bytes = new Uint8Array() } = entry;
    blocks.push(header(entry), bytes, new Uint8Array((512 - bytes.length % 512) % 512));
  }
  if (end) blocks.push(new Uint8Array(1024));
  const zipped = new Blob(blocks).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(zipped).bytes();
}

export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  return bytes;
}

/** What a registry says of these bytes. */
export function integrityOf(bytes: Uint8Array): string {
  return `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
}

export interface RegistryScene extends AsyncDisposable {
  /** What NPM_CONFIG_REGISTRY is set to. */
  readonly url: string;
  /** Of this system: llama and onnxruntime for "cpu", llama for "vulkan". */
  readonly pins: EnginePin[];
  /** The packed files, by the path in the registry. */
  readonly files: Map<string, Uint8Array<ArrayBuffer>>;
  /** Paths that were asked for. */
  readonly asked: string[];
  /** Answers in the place of a file. */
  answer: ((path: string, request: Request) => Response | undefined) | undefined;
  /** Writes the packed files as `npm pack` names them. */
  writeTo(folder: string): Promise<void>;
  pin(engine: EnginePin["engine"], variant: EnginePin["variant"]): EnginePin;
}

/** The machine code in the packages is random bytes: who loads it must fail. */
export async function startRegistry({ bytes = 3000 } = {}): Promise<RegistryScene> {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const asked: string[] = [];
  const pins: EnginePin[] = [];
  const packages = [
    ["llama", "cpu", "@test-llama/cpu"],
    ["llama", "vulkan", "@test-llama/vulkan"],
    ["onnxruntime", "cpu", "test-onnxruntime"],
  ] as const;
  for (const [engine, variant, name] of packages) {
    const packed = await pack([
      { path: "package.json", bytes: new TextEncoder().encode(`{"name":"${name}"}`) },
      { path: "index.js", bytes: new TextEncoder().encode("throw 1") },
      { path: `bins/${variant}/${engine}.node`, bytes: randomBytes(bytes) },
      { path: `bins/${variant}/lib/base.so`, bytes: randomBytes(700) },
      { path: "bins/another/other.so", bytes: randomBytes(5000) },
    ]);
    files.set(`/${name}/-/${name.split("/").at(-1)}-1.2.3.tgz`, packed);
    pins.push({
      ...{ engine, variant, name, version: "1.2.3", os: Deno.build.os, arch: Deno.build.arch },
      ...{ integrity: integrityOf(packed), downloadBytes: packed.length },
      keep: ["package.json", `bins/${variant}/`],
    });
  }
  const scene = { answer: undefined as RegistryScene["answer"] };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const path = decodeURIComponent(new URL(request.url).pathname);
    asked.push(path);
    const answer = scene.answer?.(path, request);
    if (answer !== undefined) return answer;
    const file = files.get(path);
    return file === undefined
      ? new Response("none", { status: 404 })
      : new Response(file, { headers: { "content-length": `${file.length}` } });
  });
  return Object.assign(scene, {
    url: `http://127.0.0.1:${server.addr.port}`,
    pins,
    files,
    asked,
    pin: (engine: EnginePin["engine"], variant: EnginePin["variant"]) =>
      pins.find((pin) => pin.engine === engine && pin.variant === variant)!,
    async writeTo(folder: string) {
      for (const { name, version } of pins) {
        const packed = files.get(`/${name}/-/${name.split("/").at(-1)}-${version}.tgz`)!;
        const file = `${name.replace("@", "").replace("/", "-")}-${version}.tgz`;
        await Deno.writeFile(`${folder}/${file}`, packed);
      }
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  });
}

/** A body that comes piece by piece, and stops for good after `bytes` until the client is gone. */
export function stalling(file: Uint8Array<ArrayBuffer>, bytes: number): Response {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(file.slice(0, bytes));
    },
  });
  return new Response(body, { headers: { "content-length": `${file.length}` } });
}

function header(
  { path, rawName, bytes, flag = "0", linkName = "", declaredSize, brokenChecksum }: PackedEntry,
): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(512);
  const write = (text: string, at: number) => block.set(new TextEncoder().encode(text), at);
  const octal = (value: number, at: number, digits: number) =>
    write(value.toString(8).padStart(digits, "0"), at);
  write(rawName ?? `package/${path}`, 0);
  octal(0o644, 100, 7);
  octal(declaredSize ?? bytes?.length ?? 0, 124, 11);
  octal(0, 136, 11);
  write("        ", 148);
  write(flag, 156);
  write(linkName, 157);
  write("ustar\0" + "00", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  octal(sum + (brokenChecksum ? 1 : 0), 148, 6);
  block.set([0, 32], 154);
  return block;
}
