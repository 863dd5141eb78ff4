import { describe, expect, it } from "vitest";
import { pins, text } from "../src/pure/pins";
import { nothing, verdict } from "../src/pure/words";

const said = (code: never | string, message: string, had = false) =>
  verdict({ code: code as never, message }, had, "http://h");

describe("what is said", () => {
  it("asks for a token, once one is wanted", () => {
    expect(said("token_required", "").token).toBe("This gateway asks for a token.");
    expect(said("token_refused", "the gateway closed with 4501").token).toBe("This gateway asks for a token.");
    expect(said("token_refused", "the gateway closed with 4501", true).token).toBe("The token is refused.");
    expect(said("token_refused", "the gateway closed with 4401: token expired", true).token).toMatch(/has expired/);
  });

  it("says whose page it is where it is not served, and what to do", () => {
    const { state, advice, token } = said("forbidden", "");
    expect(state).toBe("refused: this gateway serves no pages of http://h");
    expect(advice).toContain("TICKWIRE_ORIGINS");
    expect(token).toBeNull();
  });

  it("never leaves the list empty without a word", () => {
    const knowing = { known: 0, refused: 0, answered: true, token: false };
    expect(nothing("", { ...knowing, answered: false })).toContain("Waiting");
    expect(nothing("", knowing)).toContain("No symbols yet");
    expect(nothing("", { ...knowing, token: true })).toContain("token allows no symbol");
    expect(nothing("QQ", { ...knowing, known: 5 })).toContain("QQ");
    expect(nothing("", { ...knowing, known: 5, refused: 5 })).toContain("say why");
    expect(nothing("", { ...knowing, known: 5, refused: 2 })).toBe("");
  });
});

describe("pins", () => {
  it("come back as they were kept", () =>
    expect([...pins(text(new Set(["AAPL", "BRK.B"])))]).toEqual(["AAPL", "BRK.B"]));
  it("are none where something else stands there", () => expect([...pins(null), ...pins("<b>,,x y")]).toEqual([]));
});
