#!/usr/bin/env bash
# The request timeout of the AWS SDK for JavaScript ends no request.
#
# Expected: with requestHandler: { requestTimeout: 200 }, a call fails with TimeoutError if no answer has arrived after 200 ms.
# Observed: the SDK prints a warning and goes on waiting for as long as the server takes. The call fails only if
#   throwOnRequestTimeout: true is set as well.
# Seen with: @aws-sdk/client-elastic-load-balancing-v2 3.1142.0 with @smithy/node-http-handler 4.14.2, on 2026-11-30.
# Why it matters: a spot instance has 120 seconds. A call to AWS on a connection that hangs can use all of them, although the
#   client was given a timeout.
# Needs: Node.js 20 or later, npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED=true
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund --before=2026-11-30 \
  @aws-sdk/client-elastic-load-balancing-v2@3.1142.0 @smithy/node-http-handler@4.14.2
npm ls --depth=0

cat >show.js <<'JS'
import { deepStrictEqual } from "node:assert";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { DescribeTargetHealthCommand, ElasticLoadBalancingV2Client } from "@aws-sdk/client-elastic-load-balancing-v2";
import { NodeHttpHandler } from "@smithy/node-http-handler";

const ANSWER =
  "<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions/></DescribeTargetHealthResult></DescribeTargetHealthResponse>";
const TIMEOUT_MS = 200;
const server = createServer(async (_, response) => {
  await sleep(10 * TIMEOUT_MS);
  response.end(ANSWER);
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));

async function resultWith(options) {
  const client = new ElasticLoadBalancingV2Client({
    endpoint: `http://127.0.0.1:${server.address().port}`,
    region: "eu-west-1",
    credentials: { accessKeyId: "example", secretAccessKey: "example" },
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler(options),
  });
  return await client.send(new DescribeTargetHealthCommand({ TargetGroupArn: "web" })).then(
    () => "waited for the answer",
    (error) => error.name,
  );
}

const seen = {
  "requestTimeout alone": await resultWith({ requestTimeout: TIMEOUT_MS }),
  "with throwOnRequestTimeout": await resultWith({ requestTimeout: TIMEOUT_MS, throwOnRequestTimeout: true }),
};
server.close();
console.log("timeout 200 ms, answer after 2000 ms:", seen);
deepStrictEqual(seen, {
  "requestTimeout alone": "waited for the answer",
  "with throwOnRequestTimeout": "TimeoutError",
});
JS
node show.js
echo "As described above."
