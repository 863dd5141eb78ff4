import { describe, expect, it } from "vitest";
import { action, type Place } from "../src/pure/keys";

const press = (key: string, more = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, ...more });

describe("a key", () => {
  it.each([
    ["/", "search"],
    ["p", "pin"],
    ["P", "pin"],
    ["w", "wire"],
    ["?", "help"],
    ["t", "theme"],
    ["1", "seconds"],
    ["ArrowDown", "down"],
    ["Enter", "choose"],
    ["Escape", "leave"],
  ])("%s in the list means %s", (key, wanted) => expect(action(press(key), "list", true)).toBe(wanted));

  it("moves the list from the search field too, which keeps its letters", () => {
    expect(action(press("ArrowDown"), "field", true)).toBe("down");
    expect(action(press("p"), "field", true)).toBeNull();
    expect(action(press("Home"), "field", true)).toBeNull();
  });

  it("is left to other fields and to buttons", () => {
    expect(action(press("ArrowDown"), "typing", true)).toBeNull();
    expect(action(press("w"), "typing", true)).toBeNull();
    expect(action(press("Enter"), "control", true)).toBeNull();
  });

  it("of a single letter is no shortcut where somebody switched that off, nor with a modifier", () => {
    expect(action(press("w"), "list", false)).toBeNull();
    expect(action(press("ArrowUp"), "list", false)).toBe("up");
    for (const modifier of ["ctrlKey", "metaKey", "altKey"])
      expect(action(press("p", { [modifier]: true }), "list", true)).toBeNull();
  });

  it("Escape leaves from anywhere", () => {
    for (const place of ["field", "typing", "control", "list", "elsewhere"] as Place[])
      expect(action(press("Escape"), place, false)).toBe("leave");
  });
});
