import { defineConfig } from "vitest/config";

/** Tests that need a gateway: `tickwire demo` of this repository, on ports of its own. */
export default defineConfig({
  test: {
    include: ["tests/gateway/**/*.test.ts"],
    globalSetup: "tests/gateway/setup.ts",
    testTimeout: 60_000,
    hookTimeout: 180_000,
  },
});
