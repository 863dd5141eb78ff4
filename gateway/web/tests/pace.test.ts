import { describe, expect, it } from "vitest";
import { Pace, STEPS } from "../src/pure/pace";

const second = (interval: number, work = 50) => ({
  intervals: Array.from({ length: Math.floor(1000 / interval) }, () => interval),
  work,
});
const calm = second(16.7);
const late = { intervals: [...second(16.7).intervals.slice(0, 40), 60, 70, 80, 60, 70], work: 50 };

function rateAfter(pace: Pace, seconds: number, what: typeof calm): number {
  for (let i = 0; i < seconds; i += 1) pace.judge(what);
  return pace.rate;
}

describe("the rate that is asked for", () => {
  it("rises while frames are on time, to the most that anybody sees", () => {
    const pace = new Pace();
    const first = pace.rate;
    expect(rateAfter(pace, 6, calm)).toBeGreaterThan(first);
    expect(rateAfter(pace, 60, calm)).toBe(STEPS.at(-1));
  });

  it("falls by one step after two bad seconds, and not after one", () => {
    const pace = new Pace();
    const first = pace.rate;
    expect(pace.judge(late)).toBe(false);
    expect(pace.rate).toBe(first);
    expect(pace.judge(late)).toBe(true);
    expect(pace.rate).toBe(STEPS[STEPS.indexOf(first as 10) - 1]);
  });

  it("falls where our own work fills the thread, though no frame is late", () => {
    const pace = new Pace();
    expect(rateAfter(pace, 2, second(16.7, 600))).toBeLessThan(new Pace().rate);
  });

  it("falls where few frames fill the second, from the first one on", () => {
    expect(rateAfter(new Pace(), 2, { intervals: [300, 280, 310], work: 300 })).toBeLessThan(new Pace().rate);
  });

  it("falls by two steps at once where our own work takes all the time", () => {
    const pace = new Pace();
    const first = pace.rate;
    expect(pace.judge({ intervals: [400, 500], work: 950 })).toBe(true);
    expect(pace.rate).toBe(STEPS[STEPS.indexOf(first as 10) - 2]);
    expect(rateAfter(pace, 3, { intervals: [], work: 3_000 })).toBe(STEPS[0]);
  });

  it("never falls below the least", () => expect(rateAfter(new Pace(), 50, late)).toBe(STEPS[0]));

  it("waits longer before each rise that proved too much", () => {
    const pace = new Pace();
    const waits: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      let wait = 0;
      while (!pace.judge(calm)) wait += 1;
      waits.push(wait);
      rateAfter(pace, 2, late);
    }
    for (let i = 1; i < waits.length; i += 1) expect(waits[i]).toBeGreaterThan(waits[i - 1] as number);
  });

  it("does not call a screen of 30 Hz late", () => {
    const pace = new Pace();
    expect(rateAfter(pace, 6, second(33.3))).toBeGreaterThan(new Pace().rate);
  });

  it("says nothing of a second with hardly a frame: nothing moved", () => {
    const pace = new Pace();
    const first = pace.rate;
    expect(rateAfter(pace, 30, { intervals: [16.7, 400], work: 1 })).toBe(first);
  });
});
