/** The event id of a stream: where its client stands in all its symbols (docs/sse.md).  Pure. */
import type { Position } from "../types.js";

/** The id of a client at *positions*; *symbols* are those of its request, sorted. */
export function eventId(symbols: readonly string[], positions: ReadonlyMap<string, Position | null>): string {
  const at = symbols.map((symbol) => positions.get(symbol));
  const epochs = [...new Set(at.flatMap((position) => position?.epoch ?? []))].sort((one, other) => one - other);
  const crc = crc32(symbols.join());
  const bytes = [crc >>> 24, (crc >>> 16) & 255, (crc >>> 8) & 255, crc & 255];
  number(bytes, epochs.length);
  for (const [index, epoch] of epochs.entries()) number(bytes, epoch - (epochs[index - 1] ?? 0));
  for (const position of at) {
    number(bytes, position ? position.seq + 1 : 0);
    if (position && epochs.length > 1) number(bytes, epochs.indexOf(position.epoch));
  }
  const text = btoa(bytes.map((byte) => String.fromCharCode(byte)).join(""));
  return `1${text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

/** Unsigned LEB128; beyond 32 bits, so without JavaScript's shifts. */
function number(bytes: number[], value: number): void {
  let left = value;
  for (; left > 127; left = Math.floor(left / 128)) bytes.push((left % 128) + 128);
  bytes.push(left);
}

/** Of ASCII text. */
function crc32(text: string): number {
  let crc = -1;
  for (let index = 0; index < text.length; index++) {
    crc ^= text.charCodeAt(index);
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}
