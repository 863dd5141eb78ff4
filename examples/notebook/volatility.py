# A notebook in the percent format: VS Code, Spyder, PyCharm and Jupytext open it as cells; Python runs it, too.
# %% [markdown]
# # How much do prices move?
# Ten seconds of two symbols, their spread and the volatility of their returns.

# %%
import os

from tickwire_client.sync import connect

URL = os.environ.get("TICKWIRE_URL", "ws://localhost:8080/v1/stream")
SECONDS = float(os.environ.get("SECONDS", "10"))
feed = connect(URL)

# %% Every tick of ten seconds, and whatever is missing
recording = feed.record("AAPL", "MSFT", seconds=SECONDS)
ticks = recording.to_dataframe()
print(f"{len(ticks)} ticks, {recording.skipped} left out, {len(recording.gaps)} gaps")
print(ticks[["symbol", "seq", "ts", "price", "size"]].tail())

# %% Trades only: a tick of size 0 is a quote that changed
trades = ticks[ticks["size"] > 0]
seconds = trades.set_index("ts").groupby("symbol")["price"].resample("1s").last().groupby("symbol").ffill()
returns = seconds.groupby("symbol").pct_change().dropna()

# %%
summary = (
    ticks.assign(spread=ticks["ask"] - ticks["bid"])
    .groupby("symbol")
    .agg(
        ticks=("seq", "size"),
        low=("price", "min"),
        high=("price", "max"),
        spread=("spread", "mean"),
        latency_ms=("latency", lambda latency: 1000 * latency.median()),
    )
)
summary["volatility_bp"] = 1e4 * returns.groupby("symbol").std()
print(summary.round(3))

# %%
feed.close()
