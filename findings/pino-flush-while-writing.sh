#!/usr/bin/env bash
# A destination of pino with minLength ignores flush() while a write is under way, and does not flush once the write has ended.
#
# Expected: a line that was written before flush() reaches the file soon after it, as with any other time of the call.
# Observed: the line stays in memory until another line is written, the process exits, or flush() is called again after the
#   event "drain". flush() neither throws nor, without a callback, says so.
# Seen with: pino 10.4.0 (sonic-boom 4.2.1) on Node.js 20.20.2, on 2026-11-30.
# Why it matters: a service that buffers its log and flushes it at the end of each turn of the event loop holds back the last line
#   of a burst, and shows it minutes later with the next line. On an idle machine the write is over in time, so that tests pass;
#   on a busy node the line that says why a drain waits is the one that is missing.
# Needs: Node.js 20 or later, npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund --before=2026-11-30 pino@10.4.0 sonic-boom@4.2.1
npm ls --depth=0

cat >show.js <<'JS'
import { deepStrictEqual } from "node:assert";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { pino } from "pino";

const destination = pino.destination({ dest: "log", minLength: 4096, sync: false });
await new Promise((resolve) => destination.once("ready", resolve));
const lines = () => readFileSync("log", "utf8").split("\n").slice(0, -1);

destination.write("first\n");
destination.flush();
// The write that flush() has begun ends in a later turn of the event loop at the earliest.
destination.write("second\n");
destination.flush();
await setTimeout(3_000);
const afterBoth = lines();
console.log("three seconds after two lines and two calls of flush():", afterBoth);
destination.flush();
await setTimeout(3_000);
const afterThird = lines();
console.log("three seconds after another flush():", afterThird);
deepStrictEqual(afterBoth, ["first"]);
deepStrictEqual(afterThird, ["first", "second"]);
JS
node show.js
echo "As described above."
