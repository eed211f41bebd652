// Numbers stay exact, and nothing but JSON is taken for JSON.
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildSync } from "esbuild";
import { fileURLToPath } from "node:url";

const { outputFiles } = buildSync({
  entryPoints: [fileURLToPath(new URL("../src/json.ts", import.meta.url))], bundle: true, format: "esm", write: false,
});
const { parseExact, layOut } = await import("data:text/javascript;base64," + Buffer.from(outputFiles[0].contents).toString("base64"));

test("integers that a double cannot hold become text", () => {
  const text = '{"a":9007199254740991,"b":9007199254740993,"c":-9223372036854775808,"d":0.12345678901234567890,"e":12345678901234567e3,"f":"9007199254740993","g\\"9007199254740993":[18446744073709551615]}';
  assert.deepEqual(parseExact(text), {
    a: 9007199254740991, b: "9007199254740993", c: "-9223372036854775808", d: 0.12345678901234568, e: 12345678901234567e3,
    f: "9007199254740993", 'g"9007199254740993': ["18446744073709551615"],
  });
});

const drawn = (text, cut = false, max = 1000) =>
  layOut(text, cut, max)?.lines.map((l) => "  ".repeat(l.depth) + l.tokens.map((t) => t.text).join("")).join("\n") ?? null;

test("JSON is laid out as it was sent", () => {
  assert.equal(drawn('{"a":[1.50,{}, []],"b":1e400,"c":"x\\u202e","d":[[]]}'),
    '{\n  "a": [\n    1.50,\n    {},\n    []\n  ],\n  "b": 1e400,\n  "c": "x\\u202e",\n  "d": [\n    []\n  ]\n}');
  assert.equal(drawn('"text"'), '"text"');
  for (const bad of ["", "{", "[1,]", "{a:1}", "[1] [2]", "nul", "\u0000"]) assert.equal(drawn(bad), null, bad);
});

test("JSON that was cut is laid out as far as it reaches", () => {
  assert.equal(drawn('{"a":[1,2,{"b":"ha', true), '{\n  "a": [\n    1,\n    2,\n    {\n      "b": ');
  assert.equal(drawn("[not json at all", true), null);
  const { lines, complete } = layOut("[" + "1,".repeat(5000) + "1]", false, 100);
  assert.equal(lines.length, 100);
  assert.equal(complete, false);
});
