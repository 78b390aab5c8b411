import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { createAwsClients } from "../../src/aws/clients.ts";
import { awsProvider } from "../support/provider-calls.ts";
import { CREDENTIALS, never, SimulatedRegion } from "../support/simulated-region.ts";

test("an answer that stops in the middle is given up, and asked for again", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  let calls = 0;
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    calls += 1;
    const answer = region.simulator.answer({ body, authorization: request.headers.authorization });
    response.writeHead(answer.status, answer.headers);
    if (calls === 1) response.write(answer.body.slice(0, 100));
    else response.end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clients = createAwsClients({ region: "eu-west-1", endpoint, credentials: CREDENTIALS });

  const provider = awsProvider(clients);
  expect(await provider.resolve({ by: "id", value: node.id }, never)).toMatchObject({ id: node.id });
  expect(calls).toBe(2);
});
