#!/usr/bin/env bash
# The SQS client of the AWS SDK for JavaScript hands over bodies that are bytes and behave like strings.
#
# Expected: a custom requestHandler gets a body that is a string, as with the client of Elastic Load Balancing, or bytes that
#   Buffer.from copies.
# Observed: the body is an instance of a subclass of Uint8Array with the methods of a string. Buffer.from(body) takes it for a
#   string. The result is right, and the SDK warns: "In a future version this will throw an error." new TextDecoder().decode(body)
#   gives the same text without a warning.
# Seen with: @aws-sdk/client-sqs 3.1169.0 and @aws-sdk/client-elastic-load-balancing-v2 3.1142.0, on 2026-11-30.
# Why it matters: test doubles and recorders of requests take the place of the request handler. They cause a warning about a string
#   method that their code never calls, and will fail after an update of the SDK.
# Needs: Node.js 20 or later, npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED=true
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund --before=2026-11-30 \
  @aws-sdk/client-sqs@3.1169.0 @aws-sdk/client-elastic-load-balancing-v2@3.1142.0
npm ls --depth=0

cat >show.js <<'JS'
import { deepStrictEqual } from "node:assert";
import { DescribeTargetHealthCommand, ElasticLoadBalancingV2Client } from "@aws-sdk/client-elastic-load-balancing-v2";
import { ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

/** The body that a client hands to its request handler. Nothing is sent. */
async function bodyOf(Client, command) {
  let body;
  const requestHandler = {
    handle: async (request) => {
      body = request.body;
      throw new Error("not sent");
    },
  };
  const credentials = { accessKeyId: "example", secretAccessKey: "example" };
  const config = { region: "eu-west-1", endpoint: "http://127.0.0.1", credentials, maxAttempts: 1, requestHandler };
  await new Client(config).send(command).catch(() => {});
  return body;
}
const warnings = [];
console.warn = (text) => warnings.push(text);
function warned(read) {
  warnings.length = 0;
  return { text: read(), warnings: warnings.length };
}

const QueueUrl = "http://127.0.0.1/123456789012/departures";
const sqs = await bodyOf(SQSClient, new ReceiveMessageCommand({ QueueUrl }));
const elb = await bodyOf(ElasticLoadBalancingV2Client, new DescribeTargetHealthCommand({ TargetGroupArn: "web" }));
const decoded = warned(() => new TextDecoder().decode(sqs));
const copied = warned(() => Buffer.from(sqs).toString());
const [warning] = warnings;
const seen = {
  "ELB body": typeof elb,
  "SQS body": `${sqs.constructor.name}, ${sqs instanceof Uint8Array ? "a Uint8Array" : "no Uint8Array"}`,
  "TextDecoder": decoded,
  "Buffer.from": copied,
};
console.log(seen, warning);
const text = JSON.stringify({ QueueUrl });
deepStrictEqual(seen["ELB body"], "string");
deepStrictEqual(sqs instanceof Uint8Array && sqs.constructor !== Uint8Array, true);
deepStrictEqual(decoded, { text, warnings: 0 });
deepStrictEqual(copied, { text, warnings: 1 });
deepStrictEqual(warning.includes("In a future version this will throw an error"), true);
JS
node show.js
echo "As described above."
