import { App } from "./app";
import { UNSUPPORTED } from "./pure/words";
import { by, write } from "./view/dom";
import { notice } from "./view/strip";

if ("WebSocket" in window && "canParse" in URL && CSS.supports("color", "light-dark(red, blue)")) {
  addEventListener("error", ({ message }) =>
    notice(`This page has a fault: reload it, and if it comes again, report it. (${message})`),
  );
  new App().start();
} else write(by("empty"), UNSUPPORTED);
