import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FRAME_MS, HIDDEN_MS, Paint, pageFrames } from "../../src/views/frames.js";
import { HandFrames } from "./handframes.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("pageFrames", () => {
  let asked: (() => void)[];
  let cancelled: number[];

  beforeEach(() => {
    [asked, cancelled] = [[], []];
    vi.stubGlobal("requestAnimationFrame", (callback: () => void) => asked.push(callback));
    vi.stubGlobal("cancelAnimationFrame", (frame: number) => cancelled.push(frame));
  });

  test("calls back at the next animation frame, once", () => {
    const callback = vi.fn();
    pageFrames(callback);
    asked[0]?.();
    vi.advanceTimersByTime(2 * HIDDEN_MS);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  test("calls back after a second where the tab is hidden and no frame comes, once", () => {
    const callback = vi.fn();
    pageFrames(callback);
    vi.advanceTimersByTime(HIDDEN_MS - 1);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(callback).toHaveBeenCalledTimes(1);
    expect(cancelled).toEqual([1]);
  });

  test("can be called off", () => {
    const callback = vi.fn();
    pageFrames(callback)();
    vi.advanceTimersByTime(2 * HIDDEN_MS);
    expect(callback).not.toHaveBeenCalled();
    expect(cancelled).toEqual([1]);
  });

  test("are a timer where there is no page", () => {
    vi.stubGlobal("requestAnimationFrame", undefined);
    const [callback, other] = [vi.fn(), vi.fn()];
    pageFrames(callback);
    pageFrames(other)();
    vi.advanceTimersByTime(FRAME_MS);
    expect(callback).toHaveBeenCalledTimes(1);
    expect(other).not.toHaveBeenCalled();
  });
});

describe("Paint", () => {
  test("tells a watcher of several things once a frame, after all of them are shown", () => {
    const hand = new HandFrames();
    const paint = new Paint(hand.frames);
    const seen: string[] = [];
    const watcher = () => seen.push("told");
    const thing = (name: string) => ({
      show: () => {
        seen.push(name);
        return [watcher];
      },
    });
    const [one, two] = [thing("one"), thing("two")];
    for (const changing of [one, two, one]) paint.mark(changing);
    expect(hand.waiting).toBe(1);
    hand.next();
    expect(seen).toEqual(["one", "two", "told"]);
  });

  test("asks for another frame for what changes while it tells", () => {
    const hand = new HandFrames();
    const paint = new Paint(hand.frames);
    const thing = { show: () => [() => paint.mark({ show: () => [] })] };
    paint.mark(thing);
    hand.next();
    expect(hand.waiting).toBe(1);
  });

  test("asks for no frame once nothing is left to show", () => {
    const hand = new HandFrames();
    const paint = new Paint(hand.frames);
    const thing = { show: () => [] };
    paint.mark(thing);
    paint.forget(thing);
    expect(hand.waiting).toBe(0);
  });
});
