import { Suspense } from "react";
import { prices, Refused } from "./events.js";

export const dynamic = "force-dynamic"; // for Next.js: never from a cache

const SYMBOLS = ["AAPL", "MSFT", "NVDA"];
const UPDATES = 10;
const LONGEST_MS = 30_000; // also where the browser has left and nobody reads on

/** The token stays on the server, and the browser needs no script of ours: it gets HTML, as prices come. */
export default function Page() {
  const stream = prices(SYMBOLS, {
    gateway: process.env.TICKWIRE_URL ?? "http://localhost:8080",
    token: process.env.TICKWIRE_TOKEN,
    signal: AbortSignal.timeout(LONGEST_MS),
  });
  return (
    <main>
      <h1>Prices</h1>
      <Later stream={stream} number={1} />
    </main>
  );
}

function Later({ stream, number }) {
  return (
    <Suspense fallback={<p>waiting for prices</p>}>
      <Update stream={stream} number={number} />
    </Suspense>
  );
}

/** One table, and the place for the next one. */
async function Update({ stream, number }) {
  try {
    const { value: ticks, done } = await stream.next();
    if (done || number === UPDATES) await stream.return();
    if (done) return <p>That was all.</p>;
    return (
      <>
        <Table ticks={ticks} number={number} />
        {number < UPDATES ? <Later stream={stream} number={number + 1} /> : <p>That was all.</p>}
      </>
    );
  } catch (error) {
    // Nobody else's message: that of `fetch` may have a token in it.
    return <p role="alert">{error instanceof Refused ? error.message : "The gateway cannot be reached now."}</p>;
  }
}

function Table({ ticks, number }) {
  return (
    <table data-testid={`update-${number}`}>
      <tbody>
        {[...ticks].map(([symbol, tick]) => (
          <tr key={symbol}>
            <th>{symbol}</th>
            <td>{tick ? tick.price.toFixed(2) : "…"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
