// An esbuild plugin that lets a plugin's bundle take in nothing but files of its own folder.

import type { Plugin } from "esbuild";
import { relative, resolve } from "node:path";

export function confinedTo(folder: string): Plugin {
  const root = Deno.realPathSync(folder);
  return {
    name: "confined",
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ path, kind, resolveDir }) => {
        if (kind === "entry-point") return undefined;
        if (path === "@bkg/plugin") return { path, external: true };
        if (/^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(path)) {
          return refuse(`"${path}" is a URL; a plugin's bundle takes only files of its own folder`);
        }
        if (!path.startsWith(".")) {
          return refuse(`the package "${path}" is not available to this plugin`);
        }
        return isInside(root, resolve(resolveDir, path))
          ? undefined
          : refuse(`"${path}" lies outside the plugin's folder`);
      });
      build.onLoad({ filter: /.*/ }, ({ path }) => {
        const real = Deno.realPathSync(path);
        return isInside(root, real)
          ? undefined
          : { errors: [{ text: `"${relative(root, path)}" leads outside the plugin's folder` }] };
      });
    },
  };
}

function refuse(text: string) {
  return { errors: [{ text }] };
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== "" && !way.startsWith("..") && !/^(?:[a-zA-Z]:)?[\\/]/.test(way);
}
