// `npm pack` gives a package that installs into an empty Vite project, type-checks there and builds.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const here = resolve(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "tickwire-client-"));
const run = (program, ...words) => execFileSync(program, words, { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });

/** Only types and values that the documentation names. */
const PROGRAM = `
import { connect, TickwireError, type Account, type Status, type Tick } from "tickwire-client";

const feed = connect("wss://gateway.example/v1/stream", { token: async () => "t", maxRate: 5 });
const prices = new Map<string, number>();
const subscription = feed.subscribe(["AAPL", "MSFT"], (tick: Tick) => prices.set(tick.symbol, tick.price), {
  onGap: ({ symbol, from, to }) => console.log(symbol, from, to),
  onError: (error: TickwireError) => console.log(error.code, error.symbol),
});
feed.candles("AAPL", "1m", (candles, reset) => console.log(candles.at(-1)?.close, reset));
const stop = feed.on("status", (status: Status) => console.log(status.state));
const account: Account = feed.account("AAPL");
console.log(account.delivered, feed.day("AAPL")?.change_percent);
await subscription.ready;
for await (const { price } of feed.subscribe("TSLA")) console.log(price.toFixed(2));
stop();
feed.close();
`;

try {
  const [{ filename, files }] = JSON.parse(
    execFileSync("npm", ["pack", "--json", "--pack-destination", folder], { cwd: here, encoding: "utf8" }).replace(
      /^[^[]*/,
      "",
    ),
  );
  const names = files.map(({ path }) => path).sort();
  const foreign = names.filter((name) => !/^(dist\/.*|README\.md|LICENSE|package\.json)$/.test(name));
  if (foreign.length) throw new Error(`files that do not belong into the package: ${foreign}`);
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ private: true, type: "module", dependencies: { "tickwire-client": `file:./${filename}` } }),
  );
  mkdirSync(join(folder, "src"));
  writeFileSync(join(folder, "src/main.ts"), PROGRAM);
  writeFileSync(join(folder, "index.html"), '<!doctype html><script type="module" src="/src/main.ts"></script>');
  const compilerOptions = {
    target: "ES2022",
    module: "ESNext",
    moduleResolution: "bundler",
    lib: ["ES2022", "DOM", "ESNext.Disposable"],
    strict: true,
    noEmit: true,
    types: [],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["src"] }));
  run("npm", "install", "--offline", "--no-fund", "--no-audit", "--omit=peer", "--install-strategy=nested");
  const installed = readdirSync(join(folder, "node_modules")).filter((name) => !name.startsWith("."));
  if (String(installed) !== "tickwire-client") throw new Error(`the package brings more than itself: ${installed}`);
  // Vite and TypeScript are those of this folder: they are not what is tested.
  for (const [path, words] of [
    ["typescript/bin/tsc", []],
    ["vite/bin/vite.js", ["build", "--logLevel", "warn", "--target", "es2022"]],
  ]) {
    run(process.execPath, join(here, "node_modules", path), ...words);
  }
  const built = readdirSync(join(folder, "dist/assets"));
  if (!built.some((name) => name.startsWith("socket")))
    throw new Error(`server-sent events are no chunk of their own: ${built}`);
  console.log(`npm pack: ${names.length} files install, type-check and build in an empty Vite project`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
