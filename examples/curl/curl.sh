#!/bin/sh
# Everything that curl can ask: curl.sh [BASE URL].  A token, where one is needed, stands in the file $TOKEN_FILE, as
# "Authorization: Bearer …": on a command line everybody on the machine could read it.
set -eu
base=${1:-http://localhost:8080}

ask() {
  echo "# $*"
  curl --silent --show-error --fail-with-body --compressed ${TOKEN_FILE:+--header "@$TOKEN_FILE"} "$@"
  echo
}

ask "$base/v1/symbols?prefix=A&limit=2"
ask "$base/v1/quotes?symbols=AAPL,MSFT"
ask "$base/v1/quotes?symbols=AAPL,MSFT&format=csv"
ask "$base/v1/ticks/AAPL?limit=2"
ask "$base/v1/candles/AAPL?interval=1m&limit=3"

# The live stream, for two seconds; curl ends with 28, its word for --max-time.
ask --no-buffer --max-time 2 "$base/v1/sse?symbols=AAPL,MSFT&max_rate=2" || [ $? = 28 ]
