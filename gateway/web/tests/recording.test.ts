import { describe, expect, it } from "vitest";
import { MOST_CHARACTERS, MOST_FRAMES, Recording } from "../src/pure/recording";

const frame = (text: string) => ({ direction: "in", text, at: 0 }) as const;

describe("the recording", () => {
  it("keeps the newest frames, so many and no more", () => {
    const recording = new Recording();
    for (let i = 0; i < MOST_FRAMES + 50; i += 1) recording.take(frame(`f${i}`));
    expect([recording.size, recording.total]).toEqual([MOST_FRAMES, MOST_FRAMES + 50]);
    expect(recording.matching("", 2).map(({ text }) => text)).toEqual([`f${MOST_FRAMES + 48}`, `f${MOST_FRAMES + 49}`]);
  });

  it("keeps so many characters and no more, but always the last frame", () => {
    const recording = new Recording();
    for (let i = 0; i < 5; i += 1) recording.take(frame("x".repeat(MOST_CHARACTERS / 2)));
    expect(recording.size).toBe(2);
    recording.take(frame("y".repeat(MOST_CHARACTERS * 2)));
    expect(recording.size).toBe(1);
  });

  it("counts on and keeps nothing while it is paused", () => {
    const recording = new Recording();
    recording.take(frame("a"));
    recording.paused = true;
    recording.take(frame("b"));
    recording.paused = false;
    recording.take(frame("c"));
    expect(recording.matching("", 9).map(({ text, number }) => [text, number])).toEqual([
      ["a", 1],
      ["c", 3],
    ]);
  });

  it("finds whatever the case", () => {
    const recording = new Recording();
    for (const text of ['{"op":"ticks","symbol":"AAPL"}', '{"op":"gap"}']) recording.take(frame(text));
    expect(recording.matching("aapl", 9)).toHaveLength(1);
    expect(recording.matching("nothing", 9)).toHaveLength(0);
  });
});
