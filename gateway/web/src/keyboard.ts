/** Keys, wherever the focus is. */
import { type Action, action, type Place } from "./pure/keys";

export interface KeyboardHooks {
  readonly letters: () => boolean;
  /** Obey; return whether the key is used up. */
  readonly obey: (action: Action) => boolean;
}

export function listen({ letters, obey }: KeyboardHooks): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const asked = action(event, place(event.target as Element), letters());
    if (asked !== null && obey(asked)) event.preventDefault();
  });
}

function place(target: Element): Place {
  if (target.closest("dialog")) return "control";
  if (target.id === "search") return "field";
  if (target.matches("input:not([type=checkbox]), textarea, select")) return "typing";
  if (target.id === "grid") return "list";
  return target.closest("button, a, select, [tabindex]") ? "control" : "elsewhere";
}
