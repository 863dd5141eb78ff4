import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Exit, LINGER_MS } from "../../src/views/exit.js";

let exit: Exit;
let ended: string[];
const leave = (name: string) => exit.leave(() => ended.push(name));

beforeEach(() => {
  vi.useFakeTimers();
  [exit, ended] = [new Exit(), []];
});
afterEach(() => void vi.useRealTimers());

test("What leaves in one go ends in one go, what leaves later ends later", async () => {
  leave("one");
  leave("two");
  expect(vi.getTimerCount()).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  leave("three");
  await vi.advanceTimersByTimeAsync(LINGER_MS - 2);
  expect(ended).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(ended).toEqual(["one", "two"]);
  await vi.advanceTimersByTimeAsync(1);
  expect(ended).toEqual(["one", "two", "three"]);
});

test("Who comes back in time does not end", async () => {
  const stay = leave("one");
  leave("two");
  await vi.advanceTimersByTimeAsync(LINGER_MS - 1);
  stay();
  await vi.advanceTimersByTimeAsync(1);
  expect(ended).toEqual(["two"]);
});
