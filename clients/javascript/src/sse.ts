/** placeholder */
import type { Socket } from "./link.js";
export class EventSocket implements Socket {
  onopen = null; onmessage = null; onclose = null; onerror = null;
  constructor(_url: string, _token: string | undefined, _fetch: typeof fetch) {}
  send(_: string): void {}
  close(): void {}
}
