/** The chart of one symbol, drawn by TradingView's Lightweight Charts.
 *
 * Its own logo is switched off, since it puts a `<style>` element into the page, which the policy forbids; the notice
 * and the link that its licence asks for stand below the chart (`detail.ts`).
 */
import {
  CandlestickSeries,
  ColorType,
  createChart,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  TickMarkType,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import type { Bar, Change } from "../pure/bars";

const VOLUME_SHARE = 0.82;
const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const seconds = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

export class Chart {
  readonly #chart: IChartApi;
  readonly #candles: ISeriesApi<"Candlestick">;
  readonly #volumes: ISeriesApi<"Histogram">;

  constructor(private readonly box: HTMLElement) {
    this.#chart = createChart(box, {
      autoSize: true,
      layout: { attributionLogo: false, fontFamily: getComputedStyle(box).fontFamily, fontSize: 12 },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.08, bottom: 0.22 } },
      timeScale: {
        borderVisible: false,
        timeVisible: true,
        secondsVisible: true,
        rightOffset: 4,
        tickMarkFormatter: tickMark,
      },
      localization: { timeFormatter: (at: Time) => seconds.format(Number(at) * 1000) },
      handleScroll: { vertTouchDrag: false },
    });
    this.#candles = this.#chart.addSeries(CandlestickSeries, { borderVisible: false });
    this.#volumes = this.#chart.addSeries(HistogramSeries, {
      priceScaleId: "volume",
      priceFormat: { type: "volume" },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.#chart.priceScale("volume").applyOptions({ scaleMargins: { top: VOLUME_SHARE, bottom: 0 } });
    this.dress();
  }

  /** Take the colours of the page, which have changed. */
  dress(): void {
    const style = getComputedStyle(this.box);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const [up, down, line, soft] = [colour("--up"), colour("--down"), colour("--line"), colour("--soft")];
    this.#chart.applyOptions({
      layout: { background: { type: ColorType.Solid, color: "transparent" }, textColor: soft },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      crosshair: {
        vertLine: { color: soft, labelBackgroundColor: soft },
        horzLine: { color: soft, labelBackgroundColor: soft },
      },
    });
    this.#candles.applyOptions({
      upColor: up,
      downColor: down,
      wickUpColor: up,
      wickDownColor: down,
      priceLineColor: soft,
    });
    this.#volumes.applyOptions({ color: line });
  }

  /** Prices with *decimals*; times with *seconds* or without. */
  measure(decimals: number, secondsVisible: boolean): void {
    this.#chart.applyOptions({ timeScale: { secondsVisible } });
    this.#candles.applyOptions({ priceFormat: { type: "price", precision: decimals, minMove: 10 ** -decimals } });
  }

  take({ all, bars }: Change): void {
    if (!all) {
      for (const each of bars) {
        this.#candles.update(candle(each));
        this.#volumes.update(volume(each));
      }
      return;
    }
    this.#candles.setData(bars.map(candle));
    this.#volumes.setData(bars.map(volume));
  }

  /** Show the newest bars, as many as can be told apart. */
  newest(): void {
    this.#chart.timeScale().resetTimeScale();
    this.#chart.timeScale().scrollToRealTime();
  }

  clear(): void {
    this.#candles.setData([]);
    this.#volumes.setData([]);
  }
}

function candle({ time: at, open, high, low, close }: Bar) {
  return { time: at as UTCTimestamp, open, high, low, close };
}

function volume({ time: at, volume: value }: Bar) {
  return { time: at as UTCTimestamp, value };
}

/** Times as the visitor's own clock shows them; the library's are of UTC. */
function tickMark(at: Time, kind: TickMarkType): string {
  const when = Number(at) * 1000;
  if (kind === TickMarkType.TimeWithSeconds) return seconds.format(when);
  return kind === TickMarkType.Time ? time.format(when) : day.format(when);
}
