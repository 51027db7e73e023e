import assert from "node:assert/strict";
import {
  canonicalAddress,
  createReadClient,
  isProxyName,
  trustsEveryone,
} from "./trusted_proxies.ts";

const read = (
  proxies: string[],
  peer: string,
  headers: Record<string, string>,
  url = "http://bkg.lan/",
) => createReadClient(proxies)(new Request(url, { headers }), peer);

const forged = {
  "x-forwarded-for": "1.2.3.4",
  "x-forwarded-host": "forged.example",
  "x-forwarded-proto": "https",
};

Deno.test("createReadClient: forwarded headers from a stranger change nothing", () => {
  for (
    const [proxies, peer] of [
      [[], "127.0.0.1"],
      [["10.0.0.1"], "10.0.0.2"],
      [["10.0.0.0/8"], "11.0.0.1"],
      [["private"], "127.0.0.1"],
      [["loopback"], "192.168.1.1"],
      [["fd00::/8"], "fe80::1"],
      [["0.0.0.0/0", "::/0"], "unknown"],
    ] as const
  ) {
    assert.deepEqual(read([...proxies], peer, { host: "bkg.lan:8", ...forged }), {
      address: peer,
      host: "bkg.lan:8",
      origin: "http://bkg.lan:8",
    });
  }
});

Deno.test("createReadClient: a trusted proxy's three headers count, and no other", () => {
  const client = read(["loopback"], "127.0.0.9", {
    ...forged,
    host: "upstream",
    forwarded: "for=6.6.6.6;host=other.example",
    "x-real-ip": "6.6.6.6",
    "x-forwarded-prefix": "/x",
    "x-forwarded-port": "99",
  });
  assert.deepEqual(client, {
    address: "1.2.3.4",
    host: "forged.example",
    origin: "https://forged.example",
  });
});

Deno.test("createReadClient: the client is the right-most address that is no trusted proxy", () => {
  const proxies = ["10.0.0.0/8", "fd00::/8", "::1"];
  const address = (chain: string, peer = "10.0.0.1") =>
    read(proxies, peer, { "x-forwarded-for": chain }).address;
  // What a client sent itself stands left of what the proxy added.
  assert.equal(address("1.1.1.1, 8.8.8.8"), "8.8.8.8");
  assert.equal(address("127.0.0.1, 8.8.8.8, 10.0.0.3"), "8.8.8.8");
  assert.equal(address("10.9.9.9, 8.8.8.8, 10.0.0.3, fd00::2", "::1"), "8.8.8.8");
  // Only proxies: the farthest.
  assert.equal(address("10.0.0.7, 10.0.0.3"), "10.0.0.7");
  // Ports, brackets, mapped and long forms.
  assert.equal(address("8.8.8.8:4711"), "8.8.8.8");
  assert.equal(address("[2001:DB8:0::1]:4711"), "2001:db8::1");
  assert.equal(address("::ffff:8.8.8.8", "::ffff:10.0.0.1"), "8.8.8.8");
  // Rubbish ends the chain at the last that was told of it.
  assert.equal(address("8.8.8.8, unknown"), "10.0.0.1");
  assert.equal(address("8.8.8.8, _hidden, 10.0.0.3"), "10.0.0.3");
  assert.equal(address("8.8.8.8, 999.1.1.1"), "10.0.0.1");
  assert.equal(address(""), "10.0.0.1");
  assert.equal(address(`8.8.8.8${", 10.0.0.3".repeat(5000)}`), "10.0.0.3");
});

Deno.test("createReadClient: the nearest proxy's word counts, and what is no protocol does not", () => {
  const nearest = read(["loopback"], "::1", {
    "x-forwarded-proto": "https, http",
    "x-forwarded-host": "far.example, near.example",
  }, "https://bkg.lan/");
  assert.equal(nearest.origin, "http://near.example");
  const odd = { "x-forwarded-proto": "javascript", "x-forwarded-host": " " };
  assert.equal(read(["loopback"], "::1", odd, "https://bkg.lan/").origin, "https://bkg.lan");
});

Deno.test("isProxyName takes addresses, ranges and the two names", () => {
  for (const name of ["10.0.0.1", "10.0.0.0/8", "::1", "fd00::/8", "loopback", "private", "::/0"]) {
    assert.ok(isProxyName(name), name);
  }
  for (
    const name of ["10.0.0", "10.0.0.0/33", "::/129", "proxy.lan", "10.0.0.1:80", "/8", "", "1/8/8"]
  ) {
    assert.ok(!isProxyName(name), name);
    assert.throws(() => createReadClient([name]), RangeError);
  }
  assert.ok(trustsEveryone(["10.0.0.1", "0.0.0.0/0"]));
  assert.ok(trustsEveryone(["::/0"]));
  assert.ok(!trustsEveryone(["private", "loopback", "1.0.0.0/1"]));
});

Deno.test("canonicalAddress: one form for each address, none for what is none", () => {
  assert.equal(canonicalAddress("fe80::1%eth0"), "fe80::1");
  assert.equal(canonicalAddress("0:0:0:0:0:0:0:1"), "::1");
  assert.equal(canonicalAddress("::ffff:0a00:1"), "10.0.0.1");
  for (const text of ["", "unknown", "010.0.0.1", "1.2.3", "[", "[]", "::1:80:x", "1.2.3.4:x"]) {
    assert.equal(canonicalAddress(text), undefined, text);
  }
});
