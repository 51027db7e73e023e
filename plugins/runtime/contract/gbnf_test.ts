import assert from "node:assert/strict";
import { parseGrammar } from "./gbnf.ts";
import { checkGrammar, matchesGrammar } from "./gbnf_walk.ts";

/** What llama.cpp b11364 does with each, where it was tried, stands behind it. */
const refused: [name: string, grammar: string, message: RegExp][] = [
  ["nothing", "", /no rule "root"/],
  ["no root", 'a ::= "x"', /no rule "root"/],
  ["a rule that is not defined", "root ::= a", /rule "a", not defined/],
  ["a rule defined twice", 'root ::= "a"\nroot ::= "b"', /defined twice/],
  ["a literal without an end", 'root ::= "a', /does not end/],
  ["a group without an end", 'root ::= ("a"', /expected is "\)"/],
  ["an escape that is none", 'root ::= "\\q"', /escape/],
  ["half a surrogate pair", 'root ::= "\\uD800"', /no character/],
  // It ends the call with an exception: no token is left.
  ["a class without a character", "root ::= []", /no character/],
  ["a range that runs backwards", "root ::= [z-a]", /backwards/],
  ["the character 0", 'root ::= "\\x00"', /character 0/],
  ["tokens of a model", "root ::= <[7]>", /tokens/],
  ["a repetition of a repetition", 'root ::= "a"+?', /repetition is repeated/],
  ["nothing repeated", 'root ::= ""*', /nothing is repeated/],
  ["counts past llama.cpp's", 'root ::= "a"{2000}', /more than 1999/],
  ["counts that multiply", 'root ::= ("a"{1,100}){1,100}', /more than 1999/],
  ["a count that runs backwards", 'root ::= "a"{3,2}', /less than its least/],
  // The stack of WebAssembly is full, and the engine dies.
  ["deep groups", `root ::= ${"(".repeat(20_000)}"a"${")".repeat(20_000)}`, /deeper than 32/],
  [
    "a long row of rules that begin with one another",
    Array.from({ length: 3000 }, (_, index) => `r${index} ::= r${index + 1} "a"`).join("\n") +
    '\nr3000 ::= "a"\nroot ::= r0',
    /begin with one another/,
  ],
  // It visits every way, 2^40.
  [
    "ways that double",
    Array.from({ length: 40 }, (_, index) => `r${index} ::= r${index + 1} | r${index + 1}`)
      .join("\n") + '\nr40 ::= "a"\nroot ::= r0',
    /ways through rules/,
  ],
  ["left recursion", 'root ::= root "a" | "b"', /left recursive/],
  ["left recursion by another rule", 'root ::= a "b" | "c"\na ::= root', /left recursive/],
  // It overlooks this one, and its stacks grow until the memory is full.
  [
    "left recursion behind what is empty",
    'root ::= e root "x" | "y"\ne ::= f\nf ::= ""',
    /left rec/,
  ],
  ["what may be empty, without end", 'root ::= ("a"?)*', /may be empty/],
  ["no end", 'root ::= "a" root', /has no end/],
  // A step took 2.5 s with 100, and minutes with 300.
  ["a long row of what may be left out", 'root ::= ("a"?){0,100}', /too ambiguous/],
  ["places that double", 'root ::= "a" root "x" | "a" root [xy] | "z"', /too ambiguous/],
  [
    "places that double below others",
    'root ::= "n" a\na ::= "b" a a "x" | "b" a a "y" | "b"',
    /too amb/,
  ],
  ["too many parts", `root ::= ${'"aaaaaaaaaa"{1000} '.repeat(30)}`, /parts/],
  ["too long", `root ::= "${"a".repeat(300_000)}"`, /characters/],
];

for (const [name, grammar, message] of refused) {
  Deno.test(`checkGrammar refuses ${name}`, () => {
    assert.throws(() => checkGrammar(grammar), (error: unknown) => {
      const { code, message: said, details } = error as Error & { code: string; details: unknown };
      assert.equal(code, "INVALID_INPUT");
      assert.match(said, message);
      assert.deepEqual(details, { field: "grammar" });
      return true;
    });
  });
}

const accepted: [name: string, grammar: string, good: string[], bad: string[]][] = [
  ["literals and escapes", 'root ::= "a\\x62\\u0063\\n\\"\\\\"', ['abc\n"\\'], ["abc"]],
  ["classes", "root ::= [a-c\\]x-] [^0-9]", ["b]", "-z", "xa"], ["d]", "a1"]],
  ["any character", 'root ::= "a" .', ["a\u{1f600}", "a\n"], ["a", "ab "]],
  ["alternatives and groups", 'root ::= "a" ("b" | "c"\n | "d") "e"', ["abe", "ade"], ["ae"]],
  ["repetitions", 'root ::= "a"? "b"* "c"+ "d"{2} "e"{1,} "f"{0,2}', ["cdde", "abbccddeeff"], [
    "cde",
    "cddefff",
  ]],
  [
    "rules, comments and recursion",
    '# lists\nroot ::= "[" items? "]" # end\nitems ::= root ("," root)*\n',
    [
      "[]",
      "[[],[[]]]",
    ],
    ["[", "[,]"],
  ],
];

for (const [name, grammar, good, bad] of accepted) {
  Deno.test(`checkGrammar accepts ${name}, and matchesGrammar follows them`, () => {
    checkGrammar(grammar);
    const parsed = parseGrammar(grammar);
    for (const text of good) assert.ok(matchesGrammar(parsed, text), text);
    for (const text of bad) assert.ok(!matchesGrammar(parsed, text), text);
  });
}
