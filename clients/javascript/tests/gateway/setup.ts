/** A gateway: `tickwire demo`, the in-memory broker and everything else in one process. */
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { resolve } from "node:path";
import type { TestProject } from "vitest/node";

/** Milliseconds in which it must listen; 3 s are usual, busy cores may need many times that. */
const START_MS = 150_000;

declare module "vitest" {
  export interface ProvidedContext {
    gateway: string;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

async function welcomes(url: string, until: number): Promise<boolean> {
  try {
    return (await fetch(url)).status < 500;
  } catch {
    if (performance.now() > until) return false;
    await new Promise((done) => setTimeout(done, 100));
    return welcomes(url, until);
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const root = resolve(import.meta.dirname, "../../../..");
  const [port, ops] = [await freePort(), await freePort()];
  const environment = {
    ...process.env,
    TICKWIRE_PORT: String(port),
    TICKWIRE_OPS_PORT: String(ops),
    TICKWIRE_RATE: "500",
  };
  const demo = spawn(resolve(root, ".venv/bin/tickwire"), ["demo"], {
    cwd: root,
    env: environment,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = new Promise<void>((done) => demo.once("exit", () => done()));
  const url = `http://127.0.0.1:${port}/`;
  const listens = await Promise.race([welcomes(url, performance.now() + START_MS), ended.then(() => false)]);
  if (!listens) throw new Error("tickwire demo does not listen: make .venv/.complete");
  project.provide("gateway", url);
  return async () => {
    demo.kill();
    await ended;
  };
}
