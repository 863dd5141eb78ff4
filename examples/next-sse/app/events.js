/** What a gateway says against a request; its message is for people. */
export class Refused extends Error {}

/** Yield each event of /v1/sse as `{ event, data }`, until *signal*.  Throws `Refused`, or what `fetch` throws. */
export async function* events(url, { token, signal }) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const response = await fetch(url, { headers, signal, cache: "no-store" });
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new Refused(problem.detail ?? `the gateway answers with ${response.status}`);
  }
  let text = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (text + chunk).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/, 2)));
      if (fields.data) yield { event: fields.event, data: JSON.parse(fields.data) };
    }
  }
}

/** Yield the newest tick of each of *symbols*, by symbol, whenever there are new ones. */
export async function* prices(symbols, { gateway, ...options }) {
  const url = new URL("/v1/sse", gateway);
  url.search = new URLSearchParams({ symbols: symbols.join(","), max_rate: "2" });
  const newest = new Map(symbols.map((symbol) => [symbol, undefined]));
  for await (const { event, data } of events(url, options)) {
    if (event !== "snapshot" && event !== "ticks") continue;
    for (const tick of event === "ticks" ? data : data.data) newest.set(tick.symbol, tick);
    yield new Map(newest);
  }
}
