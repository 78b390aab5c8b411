#!/usr/bin/env bash
# @kubernetes/client-node ignores `tokenFile` of a kubeconfig, and sends requests without credentials.
#
# Expected: a user's `tokenFile` names a file with a bearer token, which is read and sent, as kubectl and client-go do.
# Observed: the library reads the key `token-file` instead, which no kubeconfig has, once, when the kubeconfig is loaded.
#   With `tokenFile` no header `Authorization` is set, and nothing is reported. The API server answers 401, or treats
#   the caller as `system:anonymous`.
# Also: an exec plug-in whose credential has no `expirationTimestamp` is run for each request, where client-go keeps the
#   credential until the API server answers 401, and the plug-in is not given KUBERNETES_EXEC_INFO, so that a plug-in that
#   requires it fails.
# Seen with: @kubernetes/client-node 1.4.0, on 2026-11-30.
# Why it matters: a kubeconfig that works with kubectl fails here without a reason. A plug-in that asks a cloud for a token is run
#   hundreds of times a minute.
# Needs: Node.js 20 or later, npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund --before=2026-11-30 @kubernetes/client-node@1.4.0
npm ls --depth=0

cat >plug-in <<'SH'
#!/bin/sh
echo "run, KUBERNETES_EXEC_INFO=${KUBERNETES_EXEC_INFO:-unset}" >>"$RUNS"
echo '{"kind":"ExecCredential","status":{"token":"from-the-plug-in"}}'
SH
chmod +x plug-in
echo from-the-file >token
cat >look.js <<'JS'
import { readFileSync, writeFileSync } from "node:fs";
import { KubeConfig } from "@kubernetes/client-node";

async function headersOf(user) {
  const config = {
    "current-context": "c",
    contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
    clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:6443" } }],
    users: [{ name: "u", user }],
  };
  writeFileSync("config", JSON.stringify(config));
  const loaded = new KubeConfig();
  loaded.loadFromFile("config");
  const options = { headers: {} };
  for (let request = 0; request < 3; request++) await loaded.applyToHTTPSOptions(options);
  return options.headers;
}

const byFile = await headersOf({ tokenFile: `${process.cwd()}/token` });
console.log("tokenFile: Authorization is", byFile.Authorization ?? "absent");
const exec = { apiVersion: "client.authentication.k8s.io/v1", command: `${process.cwd()}/plug-in`, interactiveMode: "Never" };
await headersOf({ exec });
const runs = readFileSync(process.env.RUNS, "utf8").trim().split("\n");
console.log(`exec: 3 requests, ${runs.length} runs, ${runs[0]}`);
if (byFile.Authorization !== undefined || runs.length !== 3 || !runs[0].endsWith("unset")) process.exit(1);
JS
RUNS="$folder/runs" node look.js
