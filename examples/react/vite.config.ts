import { defineConfig } from "vite";

// The page asks its own host for /v1, and Vite passes that on to the gateway: so no other origin has to be allowed.
const proxy = { "/v1": { target: process.env.TICKWIRE_URL ?? "http://localhost:8080", ws: true } };

export default defineConfig({ esbuild: { jsx: "automatic" }, server: { proxy }, preview: { proxy } });
