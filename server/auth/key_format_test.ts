import assert from "node:assert/strict";
import { formatKey, makeId, parseKey } from "./key_format.ts";
import { newSecret } from "./secrets.ts";

Deno.test("parseKey reads what formatKey makes, and nothing that is near it", () => {
  const parts = { id: makeId(), secret: newSecret() };
  const key = formatKey(parts);
  assert.deepEqual(parseKey(key), parts);
  const { id, secret } = parts;
  for (
    const other of [
      ...["", "bkg__", ` ${key}`, `${key}\n`, `${key}A`, key.slice(0, -1), key.toUpperCase()],
      ...[`bkg_operator_${secret}`, `bkg_session_${secret}`, `bkg_refresh_${secret}`],
      ...[`bkg_${id}x_${secret}`, `bkg_${id}_${secret.slice(1)}=`, `BKG_${id}_${secret}`],
    ]
  ) assert.equal(parseKey(other), undefined, other);
});

Deno.test("makeId is never the name of another credential, and seldom the same", () => {
  const ids = Array.from({ length: 1000 }, makeId);
  assert.equal(new Set(ids).size, 1000);
  for (const id of ids) assert.match(id, /^[a-z0-9]{12}$/);
  for (const taken of ["operator", "session", "refresh"]) assert.notEqual(taken.length, 12);
});
