#!/usr/bin/env bash
# The paginators of both Elastic Load Balancing clients of the AWS SDK for JavaScript ignore their option pageSize.
#
# Expected: paginateDescribeTargetGroups({ client, pageSize: 10 }, {}) asks AWS for pages of 10, as the paginators of EC2 do.
# Observed: no PageSize is sent, and there is no warning. PageSize in the second argument, the call's input, is sent.
# Seen with: @aws-sdk/client-elastic-load-balancing 3.1075.0, @aws-sdk/client-elastic-load-balancing-v2 3.1142.0,
#   @aws-sdk/client-ec2 3.1169.0, on 2026-11-30.
# Why it matters: a test of paging that sets pageSize gets all entries on one page, passes, and has tested nothing. The bug in the
#   handling of the second page shows up only in an account with more than 400 load balancers or target groups.
# Needs: Node.js 20 or later, npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED=true
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund --before=2026-11-30 \
  @aws-sdk/client-elastic-load-balancing@3.1075.0 @aws-sdk/client-elastic-load-balancing-v2@3.1142.0 @aws-sdk/client-ec2@3.1169.0
npm ls --depth=0

cat >show.js <<'JS'
import { deepStrictEqual } from "node:assert";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { EC2Client, paginateDescribeInstances } from "@aws-sdk/client-ec2";
import { ElasticLoadBalancingClient, paginateDescribeLoadBalancers } from "@aws-sdk/client-elastic-load-balancing";
import { ElasticLoadBalancingV2Client, paginateDescribeTargetGroups } from "@aws-sdk/client-elastic-load-balancing-v2";

const seen = [];
const server = createServer(async (request, response) => {
  const params = new URLSearchParams(await text(request));
  const action = params.get("Action");
  seen.push({ action, asked: params.get("PageSize") ?? params.get("MaxResults") });
  response.end(`<${action}Response><${action}Result/></${action}Response>`);
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const config = {
  endpoint: `http://127.0.0.1:${server.address().port}`,
  region: "eu-west-1",
  credentials: { accessKeyId: "example", secretAccessKey: "example" },
};
const classic = new ElasticLoadBalancingClient(config);
const v2 = new ElasticLoadBalancingV2Client(config);
const ec2 = new EC2Client(config);

for await (const _ of paginateDescribeInstances({ client: ec2, pageSize: 10 }, {}));
for await (const _ of paginateDescribeLoadBalancers({ client: classic, pageSize: 10 }, {}));
for await (const _ of paginateDescribeTargetGroups({ client: v2, pageSize: 10 }, {}));
for await (const _ of paginateDescribeTargetGroups({ client: v2 }, { PageSize: 10 }));
server.close();
console.log("pageSize: 10 three times, then PageSize: 10 in the input. Asked of the server:");
console.table(seen);
deepStrictEqual(seen, [
  { action: "DescribeInstances", asked: "10" },
  { action: "DescribeLoadBalancers", asked: null },
  { action: "DescribeTargetGroups", asked: null },
  { action: "DescribeTargetGroups", asked: "10" },
]);
JS
node show.js
echo "As described above."
