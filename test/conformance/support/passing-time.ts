import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import type { SimulatedRegion } from "../../support/simulated-region.ts";

const POLLS = new Set(["DescribeTargetHealth", "DescribeInstanceHealth", "DescribeLoadBalancers"]);

/**
 * A region's endpoint on 127.0.0.1 where virtual time passes with each question about a state: a waiter that polls
 * without a pause sees what it would see at its own delay.
 */
export async function endpointWherePollsTake(ms: number, region: SimulatedRegion): Promise<string> {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const {
      status,
      headers,
      body: answer,
    } = region.simulator.answer({
      body,
      authorization: request.headers.authorization,
    });
    if (POLLS.has(new URLSearchParams(body).get("Action") ?? "")) await region.clock.advance(ms);
    response.writeHead(status, headers).end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
