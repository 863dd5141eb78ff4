import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["tests/**/*.test.ts"], exclude: ["tests/react/**", "tests/vue/**"], testTimeout: 20_000 },
});
