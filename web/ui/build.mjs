// Bundles the dashboard into the folder given, dist if none: fixed file names, nothing in them that depends on when or
// where it was built.
import { build } from "esbuild";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = process.argv[2] ?? join(here, "dist");
await mkdir(out, { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: { app: "src/main.tsx" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  charset: "utf8",
  logLevel: "warning",
});
for (const name of ["index.html", "favicon.svg"]) await copyFile(join(here, "src", name), join(out, name));

// What is bundled is under these licences, which want to travel along.
let licenses = "";
for (const name of ["preact", "@preact/signals", "@preact/signals-core", "uplot"]) {
  licenses += `${name}\n\n${(await readFile(join(here, "node_modules", name, "LICENSE"), "utf8")).trim()}\n\n\n`;
}
await writeFile(join(out, "licenses.txt"), licenses.trimEnd() + "\n");
