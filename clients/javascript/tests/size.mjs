// What a page pays for `import { connect } from "tickwire-client"`: bundled and minified by esbuild, gzip -9.
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** Most bytes of the core, which every page loads, and of the chunk that is loaded where no WebSocket opens. */
const LIMITS = { core: 9050, sse: 3400 };

const { outputFiles } = await build({
  entryPoints: ["src/index.ts"],
  bundle: true,
  minify: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  outdir: "size",
  write: false,
});
let failed = false;
for (const { path, contents } of outputFiles) {
  const name = path.endsWith("index.js") ? "core" : "sse";
  const size = gzipSync(contents, { level: 9 }).length;
  failed ||= size > LIMITS[name];
  console.log(`${name}: ${contents.length} bytes minified, ${size} gzipped (at most ${LIMITS[name]})`);
}
if (failed) process.exit(1);
