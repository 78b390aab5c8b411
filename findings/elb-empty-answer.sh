#!/usr/bin/env bash
# The AWS SDK for JavaScript reads an answer that is not AWS's as "no targets".
#
# Expected: a call fails if the body of a 200 is not an answer to that call.
# Observed: DescribeTargetHealth succeeds, and TargetHealthDescriptions is undefined. The same happens with an empty body, with the
#   XML of another service, and with a well-formed HTML page. Only text that is not XML makes the call fail.
# Seen with: @aws-sdk/client-elastic-load-balancing-v2 3.1142.0, on 2026-11-30.
# Why it matters: a proxy, a service mesh or a wrong endpoint can answer 200 with its own page. A program that writes
#   `TargetHealthDescriptions ?? []` then reads "no registered targets", and lets a node go that still has traffic. AWS sends an
#   empty list element where there are no targets, and the SDK reads that as []. So undefined means: this was not AWS's answer.
# Needs: Node.js 20 or later, npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED=true
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund --before=2026-11-30 \
  @aws-sdk/client-elastic-load-balancing-v2@3.1142.0
npm ls --depth=0

cat >show.js <<'JS'
import { deepStrictEqual } from "node:assert";
import { createServer } from "node:http";
import { DescribeTargetHealthCommand, ElasticLoadBalancingV2Client } from "@aws-sdk/client-elastic-load-balancing-v2";

const BODIES = {
  "AWS's answer without targets":
    "<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions/></DescribeTargetHealthResult></DescribeTargetHealthResponse>",
  "an empty body": "",
  "the answer of another service":
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
  "an HTML page": "<html><body>Down for maintenance</body></html>",
  "text": "OK",
};
let body;
const server = createServer((_, response) => response.end(body)).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const client = new ElasticLoadBalancingV2Client({
  endpoint: `http://127.0.0.1:${server.address().port}`,
  region: "eu-west-1",
  credentials: { accessKeyId: "example", secretAccessKey: "example" },
});

const seen = {};
for (const name of Object.keys(BODIES)) {
  body = BODIES[name];
  seen[name] = await client.send(new DescribeTargetHealthCommand({ TargetGroupArn: "web" })).then(
    ({ TargetHealthDescriptions }) => TargetHealthDescriptions,
    () => "the call fails",
  );
}
server.close();
console.log("200 with this body, read as TargetHealthDescriptions:", seen);
deepStrictEqual(seen, {
  "AWS's answer without targets": [],
  "an empty body": undefined,
  "the answer of another service": undefined,
  "an HTML page": undefined,
  "text": "the call fails",
});
JS
node show.js
echo "As described above."
