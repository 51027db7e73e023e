import assert from "node:assert/strict";
import { hasDirectionMarks, linkHint, readLink } from "./links.ts";

Deno.test("readLink: only absolute http, https and mailto addresses are links", () => {
  const refused = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "blob:https://x/1",
    "file:///etc/passwd",
    "vbscript:x",
    "/auth/logout",
    "//evil.example",
    "#top",
    "",
    "mailto:",
  ];
  for (const href of refused) assert.equal(readLink(href), undefined, href);
  assert.equal(readLink("https://example.org/a?b#c")?.href, "https://example.org/a?b#c");
});

Deno.test("readLink: credentials and a mail's prepared text are dropped", () => {
  assert.deepEqual(readLink("https://bank.example@evil.example/x"), {
    href: "https://evil.example/x",
    target: "evil.example",
  });
  assert.deepEqual(readLink("mailto:a@b.example?body=secret&bcc=c@d.example"), {
    href: "mailto:a@b.example",
    target: "a@b.example",
  });
});

Deno.test("linkHint: the host is said unless the text is the address", () => {
  const link = readLink("https://evil.example/login")!;
  assert.equal(linkHint("https://bank.example/login", link), "evil.example");
  assert.equal(linkHint("evil.example", link), "evil.example");
  assert.equal(linkHint("evil.example/login", link), undefined);
  assert.equal(linkHint("https://evil.example/login/", link), undefined);
  const lookalike = readLink("https://аpple.com/")!;
  assert.equal(linkHint("аpple.com", lookalike), "xn--pple-43d.com");
});

Deno.test("hasDirectionMarks: finds what turns text around", () => {
  assert.ok(hasDirectionMarks("a\u202eb"));
  assert.ok(hasDirectionMarks("a\u2066b"));
  assert.ok(!hasDirectionMarks("שלום עולם"));
});
