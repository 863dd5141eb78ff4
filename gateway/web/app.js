// The dashboard: one WebSocket, one row per symbol, at most one rendering per animation frame.
import { Cursor } from "./cursor.js";
import * as door from "./door.js";

const SYMBOLS = [
  "AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "TSLA", "AVGO", "JPM", "V",
  "XOM", "UNH", "WMT", "JNJ", "PG", "HD", "KO", "DIS", "INTC", "IBM",
];
const PATTERN = /^[A-Z0-9][A-Z0-9.\-]{0,15}$/;
const BASE_MS = 100;
const CAP_MS = 10_000; // longest wait between two attempts; with full jitter the mean is half of it
const TOLD_CAP_MS = 60_000; // longest wait that a gateway may tell: longer than any drain
const SILENCE_MS = 40_000; // a gateway speaks at least every 15 s; after two missed heartbeats it counts as gone
const RETRY_MS = 5_000;
const SAMPLES = 500;

const page = Object.fromEntries(
  ["connection", "feed", "rate", "latency", "gaps", "conflated", "violations", "add", "symbol", "notice", "rows"]
    .map((id) => [id, document.getElementById(id)]),
);
const rows = new Map();
const cursors = new Map(); // outlive their row until `unsubscribed`: ticks may still be under way
const dirty = new Set();
const feeds = new Map();
const latencies = new Float64Array(SAMPLES);
const counts = { ticks: 0, samples: 0, gaps: 0, conflated: 0, violations: 0 };
let socket = null;
let failures = 0;
let elsewhereAt = 0; // when the last `reconnect` wants us on another gateway
let nextId = 1;
let entered = null; // the token of the last `auth`
let silence = 0;
let framed = false;
let rateSince = performance.now();

// ---------------------------------------------------------------------------------------------- connection

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  state("connecting", "connecting");
  socket = new WebSocket(`${scheme}://${location.host}/v1/stream`, door.protocols());
  socket.onopen = opened;
  socket.onmessage = received;
  socket.onclose = closed;
  listen();
}

function opened() {
  elsewhereAt = 0;
  feeds.clear();
  state("connected", "connected");
}

function received(event) {
  listen();
  const frame = JSON.parse(event.data);
  take[frame.op]?.(frame);
  draw();
}

function closed(event) {
  clearTimeout(silence);
  socket = null;
  for (const [symbol, cursor] of cursors) {
    cursor.disconnect();
    if (!rows.has(symbol)) cursors.delete(symbol);
  }
  const reason = event.reason || `code ${event.code}`;
  const { back, text } = door.verdict(event.code, reason);
  state(back ? "reconnecting" : "refused", text);
  if (!back) return; // it would not help, or not before there is a token
  failures += 1;
  const told = elsewhereAt - performance.now();
  const longest = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(failures, 10));
  setTimeout(connect, told > 0 ? Math.min(told, TOLD_CAP_MS) : Math.random() * longest);
}

function admitted() {
  door.shut();
  ask([...rows.values()].filter((row) => !row.cursor.subscribed));
}

function listen() {
  // A half-open connection never closes by itself, and close() would wait for an answer.
  clearTimeout(silence);
  const watched = socket;
  silence = setTimeout(() => {
    if (socket !== watched) return;
    watched.onopen = watched.onmessage = watched.onclose = null;
    watched.close();
    closed({ code: 1006, reason: "silence" });
  }, SILENCE_MS);
}

function send(command) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ ...command, id: nextId++ }));
}

function ask(asked) {
  if (asked.length === 0) return;
  const resume = {};
  for (const { symbol, cursor } of asked) if (cursor.position) resume[symbol] = cursor.position;
  send({ op: "subscribe", symbols: asked.map((row) => row.symbol), resume });
}

// -------------------------------------------------------------------------------------------------- frames

const take = {
  welcome(frame) {
    feeds.set("", frame.feed);
    if (frame.auth === "required") door.open("This gateway asks for a token.");
    else admitted();
  },
  authorized(frame) {
    if (frame.id == null) door.open("The token expires within a minute: enter a new one.");
    else {
      if (entered !== null) door.keep(entered);
      entered = null;
      admitted();
    }
  },
  subscribed(frame) {
    for (const [symbol, given] of Object.entries(frame.symbols)) {
      const position = given?.epoch == null ? null : { epoch: given.epoch, seq: given.seq };
      judge(symbol, (cursor) => cursor.subscribe(position));
      note(rows.get(symbol), "subscribed");
    }
    for (const [symbol, reason] of Object.entries(frame.rejected ?? {})) rejected(rows.get(symbol), reason);
  },
  unsubscribed(frame) {
    for (const symbol of frame.symbols) {
      cursors.get(symbol)?.unsubscribe();
      if (!rows.has(symbol)) cursors.delete(symbol);
      note(rows.get(symbol), frame.reason ?? "unsubscribed");
    }
  },
  snapshot(frame) {
    for (const tick of frame.data) {
      judge(tick.symbol, (cursor) => cursor.snapshot(frame.epoch, tick.seq));
      show(rows.get(tick.symbol), tick);
    }
    for (const [symbol, reason] of Object.entries(frame.none ?? {})) note(rows.get(symbol), reason);
  },
  day(frame) {
    for (const [symbol, day] of Object.entries(frame.data)) {
      const row = rows.get(symbol);
      if (!row) continue;
      row.day = { ...day };
      extend(row, row.tick);
      dirty.add(row);
    }
  },
  ticks(frame) {
    failures = 0;
    for (const tick of frame.data) {
      const skipped = tick.skipped ?? 0;
      judge(tick.symbol, (cursor) => cursor.tick(tick.seq, skipped));
      counts.conflated += skipped;
      latencies[counts.samples++ % SAMPLES] = frame.sent - tick.ts;
      counts.ticks += 1;
      show(rows.get(tick.symbol), tick);
    }
  },
  gap(frame) {
    judge(frame.symbol, (cursor) => cursor.gap(frame.epoch, frame.from, frame.to));
    counts.gaps += 1;
    note(rows.get(frame.symbol), `gap: ${frame.reason}`);
  },
  epoch(frame) {
    judge(frame.symbol, (cursor) => cursor.epoch(frame.epoch));
  },
  session(frame) {
    note(rows.get(frame.symbol), frame.state);
  },
  status(frame) {
    feeds.delete("");
    feeds.set(frame.shard, frame.feed);
  },
  reconnect(frame) {
    elsewhereAt = performance.now() + frame.in_ms;
  },
  error(frame) {
    if (frame.code === "token_refused") door.open("The token is refused.");
    page.notice.textContent = `${frame.code}: ${frame.message}`;
  },
};

function judge(symbol, move) {
  const cursor = cursors.get(symbol);
  if (cursor && move(cursor)) return;
  counts.violations += 1;
  console.warn("a frame broke the cursor rules", symbol, cursor?.position);
}

function rejected(row, reason) {
  if (!row) return;
  note(row, reason);
  if (reason === "feed_unavailable") {
    setTimeout(() => {
      if (rows.get(row.symbol) === row && !row.cursor.subscribed) ask([row]);
    }, RETRY_MS);
  } else if (row.last === null && reason === "unknown_symbol") {
    remove(row.symbol);
    cursors.delete(row.symbol);
    page.notice.textContent = `${row.symbol}: ${reason.replaceAll("_", " ")}`;
  }
}

// ---------------------------------------------------------------------------------------------------- rows

function show(row, tick) {
  if (!row) return;
  if (row.last !== null && tick.price !== row.last) row.direction = tick.price > row.last ? 1 : -1;
  if (tick.price !== row.last) row.moved = row.last !== null;
  if (row.tick !== null && row.day !== null && tick.volume < row.tick.volume) {
    row.day = { ...row.day, open: null, high: null, low: null }; // the volume is of the day: a new one began
  }
  row.last = tick.price;
  row.tick = tick;
  extend(row, tick);
  note(row, tick.skipped ? "conflating" : "live");
}

function extend(row, tick) {
  // What the gateway said counts up to the snapshot at least; each later trade is ours to add.
  const { day } = row;
  if (day === null || tick === null || tick.size === 0) return;
  day.open ??= tick.price;
  day.high = Math.max(day.high ?? tick.price, tick.price);
  day.low = Math.min(day.low ?? tick.price, tick.price);
}

function note(row, text) {
  if (!row) return;
  row.state = text.replaceAll("_", " ");
  dirty.add(row);
}

function add(symbol) {
  if (rows.has(symbol)) return null;
  const line = document.createElement("tr");
  line.dataset.symbol = symbol;
  const cells = Array.from({ length: 9 }, (_, index) => {
    const cell = document.createElement(index === 0 ? "th" : "td");
    line.append(cell);
    return cell;
  });
  cells[0].scope = "row";
  cells[0].textContent = symbol;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "×";
  button.setAttribute("aria-label", `Remove ${symbol}`);
  button.onclick = () => remove(symbol);
  cells[8].append(button);
  page.rows.append(line);
  const cursor = cursors.get(symbol) ?? new Cursor();
  cursors.set(symbol, cursor);
  const row = {
    symbol, line, cells, cursor, state: "waiting",
    last: null, day: null, tick: null, direction: 0, moved: false, flash: false,
  };
  rows.set(symbol, row);
  dirty.add(row);
  draw();
  return row;
}

function remove(symbol) {
  const row = rows.get(symbol);
  if (!row) return;
  rows.delete(symbol);
  dirty.delete(row);
  row.line.remove();
  if (socket?.readyState === WebSocket.OPEN) send({ op: "unsubscribe", symbols: [symbol] });
  else cursors.delete(symbol);
}

// --------------------------------------------------------------------------------------------------- drawing

function draw() {
  if (framed) return;
  framed = true;
  requestAnimationFrame(() => {
    framed = false;
    for (const row of dirty) paint(row);
    dirty.clear();
    const stale = [...feeds].filter(([, feed]) => feed !== "live").map(([shard]) => shard);
    page.feed.textContent = stale.length === 0 ? "live" : `stale ${stale.join(" ")}`.trim();
    page.feed.classList.toggle("bad", stale.length > 0);
    page.gaps.textContent = counts.gaps;
    page.conflated.textContent = counts.conflated;
    page.violations.textContent = counts.violations;
    page.violations.classList.toggle("bad", counts.violations > 0);
  });
}

function paint(row) {
  const [, last, change, bid, ask_, size, volume, status] = row.cells;
  status.textContent = row.state;
  if (row.tick === null) return;
  const { tick } = row;
  last.textContent = price(tick.price);
  if (row.day !== null) {
    const close = row.day.previous_close;
    const moved = tick.price - close;
    const sign = moved > 0 ? "+" : "";
    change.textContent = `${sign}${price(moved)} (${sign}${((100 * moved) / close).toFixed(2)} %)`;
    change.className = moved > 0 ? "up" : moved < 0 ? "down" : "";
    const { open, high, low } = row.day;
    row.line.title = open === null ? "" : `open ${price(open)}, high ${price(high)}, low ${price(low)}`;
  }
  bid.textContent = price(tick.bid);
  ask_.textContent = price(tick.ask);
  size.textContent = tick.size.toLocaleString();
  volume.textContent = tick.volume.toLocaleString();
  if (!row.moved) return;
  row.moved = false;
  row.flash = !row.flash;
  last.className = (row.direction > 0 ? "flash-up" : "flash-down") + (row.flash ? "" : "-again");
}

function price(value) {
  // JSON numbers lose trailing zeros, and the native wire does not name a symbol's decimals.
  return value.toFixed(2);
}

function figures() {
  const now = performance.now();
  page.rate.textContent = Math.round((counts.ticks * 1000) / (now - rateSince));
  counts.ticks = 0;
  rateSince = now;
  const filled = latencies.slice(0, Math.min(counts.samples, SAMPLES)).sort();
  if (filled.length > 0) page.latency.textContent = `${(filled[filled.length >> 1] / 1000).toFixed(1)} ms`;
}

function state(name, text) {
  page.connection.dataset.state = name;
  page.connection.textContent = text;
  for (const row of rows.values()) if (name !== "connected") note(row, "waiting");
  draw();
}

page.add.addEventListener("submit", (event) => {
  event.preventDefault();
  const symbol = page.symbol.value.trim().toUpperCase();
  page.notice.textContent = "";
  if (!PATTERN.test(symbol)) {
    page.notice.textContent = "A symbol has 1 to 16 letters, digits, dots or hyphens.";
    return;
  }
  const row = add(symbol);
  if (row) ask([row]);
  page.add.reset();
});

door.onToken((token) => {
  if (socket?.readyState === WebSocket.OPEN) {
    entered = token; // kept once it was accepted: until then the one before is in force
    send({ op: "auth", token });
  } else {
    door.keep(token);
    if (socket === null) connect();
  }
});
for (const symbol of SYMBOLS) add(symbol);
setInterval(figures, 1000);
connect();
