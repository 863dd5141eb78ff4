#!/usr/bin/env python3
"""Append quotes to a CSV file whenever they change: poll.py URL FILE SYMBOL... [--every 1] [--polls N].

A spreadsheet opens the file, or links to it.  The gateway is asked with `If-None-Match`, so that prices that stand
still cost one short answer.  Python's standard library only.
"""

import argparse
import csv
import io
import itertools
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

LEAST_S = 0.5
"""Gateways answer so many times a second at most; more often is `429`."""
PATIENCE_S = 10.0
LONGEST_WAIT_S = 60.0
TRY_LATER = {408, 429, 500, 502, 503, 504}


class Refused(Exception):
    """Asking again would be refused again."""


class Quotes:
    """The quotes of *symbols* at a gateway, and which of them were seen last."""

    def __init__(self, base: str, symbols: list[str], token: str | None) -> None:
        query = urllib.parse.urlencode({"symbols": ",".join(symbols), "format": "csv"}, safe=",")
        self._url = f"{base.rstrip('/')}/v1/quotes?{query}"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def changed(self) -> list[list[str]]:
        """Return head and rows of the table; nothing where no quote has changed since."""
        request = urllib.request.Request(self._url, headers=self._headers)  # noqa: S310 - the user's own address
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
                self._headers["If-None-Match"] = answer.headers.get("ETag", "")
                return list(csv.reader(io.TextIOWrapper(answer, encoding="utf-8", newline="")))
        except urllib.error.HTTPError as error:
            with error:
                return self._not_now(error)

    def _not_now(self, error: urllib.error.HTTPError) -> list[list[str]]:
        if error.code == 304:  # noqa: PLR2004 - not modified
            return []
        if error.code not in TRY_LATER:
            raise Refused(f"HTTP {error.code}: {_detail(error)}")
        wait = min(LONGEST_WAIT_S, float(error.headers.get("Retry-After") or LEAST_S))
        print(f"HTTP {error.code}, again in {wait:g} s", file=sys.stderr)
        time.sleep(wait)
        return []


class Journal:
    """A CSV file that is only appended to; knows the last row of each symbol."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._last: dict[str, list[str]] = {}
        if file.exists():
            with file.open(encoding="utf-8", newline="") as text:
                self._last = {row[0]: row for row in csv.reader(text) if row}

    def append(self, table: list[list[str]]) -> int:
        """Append the rows of *table* that are news; return how many."""
        head, *rows = table
        news = [row for row in rows if self._last.get(row[0]) != row]
        with self._file.open("a", encoding="utf-8", newline="") as text:
            writer = csv.writer(text)
            if text.tell() == 0:
                writer.writerow(head)
            writer.writerows(news)
        self._last.update({row[0]: row for row in news})
        return len(news)


def _detail(error: urllib.error.HTTPError) -> str:
    """Return what the gateway says is wrong: its answers are problems of RFC 9457."""
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError):
        return str(error.reason)


def main() -> None:
    """Poll until Ctrl-C, or as often as `--polls` says."""
    parser = argparse.ArgumentParser(description="Append quotes to a CSV file whenever they change.")
    parser.add_argument("url", help="the gateway, such as http://localhost:8080")
    parser.add_argument("file", type=Path, help="is appended to")
    parser.add_argument("symbols", nargs="+")
    parser.add_argument("--every", type=float, default=1.0, help=f"seconds, at least {LEAST_S}")
    parser.add_argument("--polls", type=int, default=0, help="so many, then end; 0: until Ctrl-C")
    given = parser.parse_args()
    quotes = Quotes(given.url, given.symbols, os.environ.get("TICKWIRE_TOKEN"))
    journal = Journal(given.file)
    polls = range(given.polls) if given.polls else itertools.count()
    for poll in polls:
        if poll > 0:
            time.sleep(max(LEAST_S, given.every))
        try:
            table = quotes.changed()
        except OSError as error:
            if poll == 0:  # perhaps a wrong address; later it is a gateway that will come back
                sys.exit(f"the gateway cannot be reached: {error}")
            print(f"the gateway cannot be reached: {error}", file=sys.stderr)
            continue
        if table:
            print(f"{journal.append(table)} rows", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
    except Refused as error:
        sys.exit(str(error))
