#!/usr/bin/env bash
# The instance metadata client of the AWS SDK for JavaScript fetches a new token for each read.
#
# Expected: the client asks for a session token once, which is valid for six hours, and uses it for all reads. A path
#   "/latest/meta-data/instance-id" is requested as it was given.
# Observed: each request() is two requests: a PUT for a new token, and the read. Each read's path starts with two slashes.
# Seen with: @aws-sdk/ec2-metadata-service 3.1164.0, on 2026-11-30.
# Why it matters: an agent that reads the spot notice, the rebalance recommendation and the lifecycle state every few seconds makes
#   twice the requests, and instance metadata throttles each instance. Test doubles and proxies that compare paths exactly answer
#   404 to the second slash, which for a spot notice means "no notice".
# Needs: Node.js 20 or later, npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED=true
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund --before=2026-11-30 @aws-sdk/ec2-metadata-service@3.1164.0
npm ls --depth=0

cat >show.js <<'JS'
import { deepStrictEqual } from "node:assert";
import { createServer } from "node:http";
import { MetadataService } from "@aws-sdk/ec2-metadata-service";

const seen = [];
const server = createServer((request, response) => {
  seen.push(`${request.method} ${request.url}`);
  if (request.method === "PUT") {
    const ttl = "x-aws-ec2-metadata-token-ttl-seconds";
    response.setHeader(ttl, request.headers[ttl]).end("token");
  } else {
    response.end("i-0123456789abcdef0");
  }
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));

const metadata = new MetadataService({ endpoint: `http://127.0.0.1:${server.address().port}` });
for (let read = 0; read < 3; read++) await metadata.request("/latest/meta-data/instance-id", {});
server.close();
console.log("three reads of /latest/meta-data/instance-id with one client:", seen);
const once = ["PUT /latest/api/token", "GET //latest/meta-data/instance-id"];
deepStrictEqual(seen, [...once, ...once, ...once]);
JS
node show.js
echo "As described above."
