// postgres.js 3.4.9 with one line mended: a write that is scheduled when its connection ends was thrown where nobody
// can catch it, and ended the whole server (porsager/postgres#1154). It is bundled, so that it can be mended.

import type { Plugin } from "esbuild";

/** An esbuild plugin; the build fails when a new version has another text there. */
export function mendedPostgres(): Plugin {
  return {
    name: "mended-postgres",
    setup(build) {
      build.onLoad({ filter: /[\\/]src[\\/]connection\.js$/ }, async ({ path }) => {
        const text = await Deno.readTextFile(path);
        const contents = text.replace(faulty, mended + faulty);
        if (contents === text) throw new Error(`"${path}" is not what is mended here`);
        return { contents, loader: "js" };
      });
    },
  };
}

const faulty = "const x = socket.write(chunk, fn)";
const mended = `if (socket === null) {
      chunk = nextWriteTimer = null
      error(Errors.connection('CONNECTION_CLOSED', options))
      return true
    }
    `;
