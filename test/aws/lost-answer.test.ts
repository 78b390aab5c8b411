import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { DescribeInstancesCommand } from "@aws-sdk/client-ec2";
import { expect, onTestFinished, test } from "vitest";
import { createAwsClients } from "../../src/aws/clients.ts";
import { CREDENTIALS } from "../support/simulated-region.ts";

/** Long enough for what is under way between two sockets of this process. */
async function settled() {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

function newLatch() {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("an answer whose connection is lost while it waits to be parsed fails, and does not hang", async () => {
  let begun: (response: ServerResponse) => void = () => {};
  const answering = new Promise<ServerResponse>((resolve) => {
    begun = resolve;
  });
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/xml", "content-length": "1000" });
    response.write("<DescribeInstancesResponse>");
    begun(response);
  });
  const endpoint = await listening(server);
  const waits = newLatch();
  const passes = newLatch();
  const turn = () => {
    waits.resolve();
    return passes.promise;
  };
  const { ec2 } = createAwsClients({ region: "eu-west-1", endpoint, credentials: CREDENTIALS, turn });
  const call = ec2.send(new DescribeInstancesCommand({}));
  const failed = expect(call).rejects.toMatchObject({ code: "ECONNRESET" });
  const response = await answering;
  await waits.promise;
  const closed = new Promise((resolve) => response.once("close", resolve));
  response.destroy();
  await closed;
  await settled();
  passes.resolve();
  await failed;
});
