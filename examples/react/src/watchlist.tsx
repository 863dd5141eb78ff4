import { useRef, useState } from "react";
import { useCandles, useStatus, useTick, useTicks } from "tickwire-client/react";

const SYMBOLS = ["AAPL", "MSFT", "NVDA"];

/** A row for each symbol that is ticked. */
export function Watchlist() {
  const [chosen, choose] = useState(SYMBOLS.slice(0, 2));
  const toggle = (symbol: string) =>
    choose((now) => SYMBOLS.filter((name) => (name === symbol) !== now.includes(name)));
  return (
    <main>
      <Connection />
      {SYMBOLS.map((symbol) => (
        <label key={symbol}>
          <input type="checkbox" checked={chosen.includes(symbol)} onChange={() => toggle(symbol)} /> {symbol}
        </label>
      ))}
      <table>
        <tbody>
          {chosen.map((symbol) => (
            <Row key={symbol} symbol={symbol} />
          ))}
        </tbody>
      </table>
      <Total symbols={chosen} />
      <Minute symbol={SYMBOLS[0]} />
    </main>
  );
}

/** Renders when its own symbol ticked, and at most once a frame: the last column counts. */
function Row({ symbol }: { symbol: string }) {
  const tick = useTick(symbol);
  const renders = useRenders();
  return (
    <tr data-testid={symbol}>
      <th>{symbol}</th>
      <td data-testid="price">{tick?.price.toFixed(2) ?? "…"}</td>
      <td data-testid="renders">{renders}</td>
    </tr>
  );
}

function Total({ symbols }: { symbols: readonly string[] }) {
  const ticks = useTicks(symbols, { maxRate: 2 });
  const sum = [...ticks.values()].reduce((total, { price }) => total + price, 0);
  return (
    <p>
      One of each of the {ticks.size}: <span data-testid="total">{sum.toFixed(2)}</span>
    </p>
  );
}

function Minute({ symbol }: { symbol: string }) {
  const candle = useCandles(symbol, "1m").at(-1);
  return (
    <p>
      {symbol}, this minute: <span data-testid="minute">{candle ? `${candle.low} to ${candle.high}` : "…"}</span>
    </p>
  );
}

function Connection() {
  return <p data-testid="state">{useStatus().state}</p>;
}

/** How often the component has rendered; for this example only, since a render should leave no trace. */
function useRenders(): number {
  const count = useRef(0);
  count.current += 1;
  return count.current;
}
