#!/usr/bin/env bash
# The AWS SDK for JavaScript renames the errors of Elastic Load Balancing, and differently for its two APIs.
#
# Expected: error.name is the code that AWS documents and sends: LoadBalancerNotFound, InvalidInstance, InvalidTarget.
# Observed: the client of the classic API names LoadBalancerNotFound "AccessPointNotFoundException", and InvalidInstance
#   "InvalidEndPointException". The client of the v2 API names the same LoadBalancerNotFound "LoadBalancerNotFoundException". Codes
#   without a class of their own, such as Throttling, keep their name. The documented code is in error.Code.
# Seen with: @aws-sdk/client-elastic-load-balancing 3.1075.0, @aws-sdk/client-elastic-load-balancing-v2 3.1142.0, on 2026-11-30.
# Why it matters: code that compares error.name with the API reference never recognizes that a load balancer or an instance is
#   gone. It retries for ever, or fails where nothing is left to do. Compare error.Code.
# Needs: Node.js 20 or later, npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED=true
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund --before=2026-11-30 \
  @aws-sdk/client-elastic-load-balancing@3.1075.0 @aws-sdk/client-elastic-load-balancing-v2@3.1142.0
npm ls --depth=0

cat >show.js <<'JS'
import { deepStrictEqual } from "node:assert";
import { createServer } from "node:http";
import { DescribeInstanceHealthCommand, ElasticLoadBalancingClient } from "@aws-sdk/client-elastic-load-balancing";
import {
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
} from "@aws-sdk/client-elastic-load-balancing-v2";

let code;
const server = createServer((_, response) => {
  response.writeHead(400, { "content-type": "text/xml" });
  response.end(`<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>An example.</Message></Error></ErrorResponse>`);
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const config = {
  endpoint: `http://127.0.0.1:${server.address().port}`,
  region: "eu-west-1",
  credentials: { accessKeyId: "example", secretAccessKey: "example" },
  maxAttempts: 1,
};
const classic = new ElasticLoadBalancingClient(config);
const v2 = new ElasticLoadBalancingV2Client(config);
const instanceHealth = () => classic.send(new DescribeInstanceHealthCommand({ LoadBalancerName: "web" }));
const targetHealth = () => v2.send(new DescribeTargetHealthCommand({ TargetGroupArn: "web" }));
const targetGroups = () => v2.send(new DescribeTargetGroupsCommand({ LoadBalancerArn: "web" }));

const seen = [];
for (const [api, sent, call] of [
  ["classic", "LoadBalancerNotFound", instanceHealth],
  ["classic", "InvalidInstance", instanceHealth],
  ["classic", "Throttling", instanceHealth],
  ["v2", "LoadBalancerNotFound", targetGroups],
  ["v2", "InvalidTarget", targetHealth],
  ["v2", "Throttling", targetHealth],
]) {
  code = sent;
  const error = await call().catch((thrown) => thrown);
  seen.push({ api, sent, name: error.name, Code: error.Code });
}
server.close();
console.table(seen);
deepStrictEqual(seen.map(({ name }) => name), [
  "AccessPointNotFoundException",
  "InvalidEndPointException",
  "Throttling",
  "LoadBalancerNotFoundException",
  "InvalidTargetException",
  "Throttling",
]);
deepStrictEqual(seen.map(({ Code }) => Code), seen.map(({ sent }) => sent));
JS
node show.js
echo "As described above."
