// One server for one folder: PGlite itself would let two in, and they would lose each other's rows in silence.

import { join } from "node:path";
import { AppError } from "../../plugins/runtime/contract/error.ts";

/** Makes the folder if need be; throws CONFLICT while another process holds it. A kill lets go of it. */
export function lockFolder(folder: string): Disposable {
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = Deno.openSync(join(folder, "server.lock"), {
    write: true,
    create: true,
    mode: 0o600,
  });
  if (file.tryLockSync(true)) return { [Symbol.dispose]: () => file.close() };
  file.close();
  throw new AppError(
    "CONFLICT",
    `"${folder}" is in use by another bkg; stop it, or set BKG_DATA_DIR to another folder`,
    { details: { reason: "folder-in-use" }, retryable: false },
  );
}
