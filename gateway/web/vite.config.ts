import { existsSync, readFileSync } from "node:fs";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const client = new URL("../../clients/javascript/src/index.ts", import.meta.url).pathname;
const bundled = ["lightweight-charts", "fancy-canvas"];

/** `notices.txt`: what the licences of the bundled packages want to be said with each copy. */
function notices(): Plugin {
  const thanks = "TradingView Lightweight Charts™\nCopyright (c) 2025 TradingView, Inc. https://www.tradingview.com/\n";
  const line = `\n${"=".repeat(80)}\n\n`;
  return {
    name: "notices",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "notices.txt", source: [thanks, ...bundled.map(notice)].join(line) });
    },
  };
}

function notice(name: string): string {
  const folder = new URL(`node_modules/${name}/`, import.meta.url);
  const read = (file: string) => readFileSync(new URL(file, folder), "utf8");
  const { version, license } = JSON.parse(read("package.json"));
  const words = existsSync(new URL("LICENSE", folder))
    ? read("LICENSE")
    : "Its package has no text of the licence; author: TradingView, Inc.\n";
  return `${name} ${version}, licence ${license}\n\n${words}`;
}

export default defineConfig({
  base: "./", // below any path of a proxy
  plugins: [notices()],
  resolve: { alias: { "tickwire-client": client } },
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // the policy allows no data: addresses
    reportCompressedSize: true,
  },
  server: { proxy: { "/v1": { target: "http://localhost:8080", ws: true } } },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
