#!/usr/bin/env bash
# The SQS client of the AWS SDK for JavaScript sends to the host of the QueueUrl, not to the endpoint in AWS_ENDPOINT_URL.
#
# Expected: with AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_SQS set, all calls of all clients go to that endpoint.
# Observed: a call with a QueueUrl of another host goes to that other host, with a warning. The endpoint is used if it is given to
#   the client as an option, or if the client has useQueueUrlAsEndpoint: false.
# Seen with: @aws-sdk/client-sqs 3.1169.0, on 2026-11-30.
# Why it matters: a test or a development environment that points AWS_ENDPOINT_URL at an emulator, but has the QueueUrl of a real
#   queue in its configuration, receives and deletes the real queue's messages. An interface endpoint (PrivateLink) that is
#   configured by the variable is bypassed as well: the calls go to the public host, or time out.
# Needs: Node.js 20 or later, npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED=true
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund --before=2026-11-30 @aws-sdk/client-sqs@3.1169.0
npm ls --depth=0

cat >show.js <<'JS'
import { deepStrictEqual } from "node:assert";
import { createServer } from "node:http";
import { ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

let asked = [];
async function serve(name) {
  const server = createServer((_, response) => {
    asked.push(name);
    response.setHeader("content-type", "application/x-amz-json-1.0").end("{}");
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return { server, url: `http://127.0.0.1:${server.address().port}` };
}
const endpoint = await serve("the endpoint");
const queue = await serve("the QueueUrl's host");

async function askedWith(variable, options) {
  delete process.env.AWS_ENDPOINT_URL;
  delete process.env.AWS_ENDPOINT_URL_SQS;
  if (variable !== undefined) process.env[variable] = endpoint.url;
  const credentials = { accessKeyId: "example", secretAccessKey: "example" };
  const client = new SQSClient({ region: "eu-west-1", credentials, ...options });
  asked = [];
  await client.send(new ReceiveMessageCommand({ QueueUrl: `${queue.url}/123456789012/departures` }));
  return asked.join();
}

const seen = {
  "AWS_ENDPOINT_URL": await askedWith("AWS_ENDPOINT_URL", {}),
  "AWS_ENDPOINT_URL_SQS": await askedWith("AWS_ENDPOINT_URL_SQS", {}),
  "AWS_ENDPOINT_URL, useQueueUrlAsEndpoint: false": await askedWith("AWS_ENDPOINT_URL", { useQueueUrlAsEndpoint: false }),
  "option endpoint": await askedWith(undefined, { endpoint: endpoint.url }),
};
endpoint.server.close();
queue.server.close();
console.log("asked:", seen);
deepStrictEqual(seen, {
  "AWS_ENDPOINT_URL": "the QueueUrl's host",
  "AWS_ENDPOINT_URL_SQS": "the QueueUrl's host",
  "AWS_ENDPOINT_URL, useQueueUrlAsEndpoint: false": "the endpoint",
  "option endpoint": "the endpoint",
});
JS
node show.js
echo "As described above."
