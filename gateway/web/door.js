// The token: asked for in a form, kept for this tab only (sessionStorage), never in an address; and what a close means.
const KEY = "tickwire.token";
const PATTERN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/; // what a subprotocol may be made of
const FIX_FIRST = [1002, 1003, 1008, 1009];
const OVERLOADED = 1013;
const TOKEN_EXPIRED = 4401;
const TOKEN_REFUSED = 4501;
const FORBIDDEN = 4503;

let tried = false; // whether a token was entered since this page was loaded

export const page = Object.fromEntries(["door", "token", "wanted"].map((id) => [id, document.getElementById(id)]));

export function protocols() {
  const token = sessionStorage.getItem(KEY);
  return token === null ? ["tickwire.v1"] : ["tickwire.v1", `bearer.${token}`];
}

export function open(words) {
  page.wanted.textContent = words;
  page.door.hidden = false;
}

export function shut() {
  page.door.hidden = true;
}

export function keep(token) {
  sessionStorage.setItem(KEY, token);
}

export function onToken(use) {
  page.door.addEventListener("submit", (event) => {
    event.preventDefault();
    const token = page.token.value.trim();
    page.door.reset();
    if (!PATTERN.test(token)) {
      page.wanted.textContent = "A token has letters, digits and signs such as . _ -, and no blank.";
      return;
    }
    tried = true;
    use(token);
  });
}

export function verdict(code, reason) {
  // What a close code means: whether to come back, what to say, and whether a token is asked for.
  if (code === TOKEN_EXPIRED || code === TOKEN_REFUSED) {
    const had = tried || sessionStorage.getItem(KEY) !== null;
    sessionStorage.removeItem(KEY);
    if (!had) open("This gateway asks for a token.");
    else open(code === TOKEN_EXPIRED ? "The token has expired: enter a new one." : "The token is refused.");
    return { back: false, text: "a token is wanted" };
  }
  if (code === FORBIDDEN) return { back: false, text: `refused: this gateway serves no pages of ${location.origin}` };
  if (FIX_FIRST.includes(code) || (code >= 4500 && code < 5000)) return { back: false, text: `refused: ${reason}` };
  if (code === OVERLOADED) return { back: true, text: "the gateway takes no more clients now, trying again" };
  return { back: true, text: `reconnecting (${reason})` };
}
