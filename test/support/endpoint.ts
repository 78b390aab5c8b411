import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { requestOf, type Simulator } from "../../src/simulator/simulator.ts";
import { type Intercept, signerOf } from "./simulated-region.ts";

/** A simulator's endpoint on 127.0.0.1 for the length of a test, with calls that fail as the test wants. */
export async function endpoint(simulator: Simulator, intercept: Intercept = () => undefined): Promise<string> {
  const counts = new Map<string, number>();
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const params = new URLSearchParams(body);
    const action = params.get("Action") ?? "";
    const before = counts.get(action) ?? 0;
    counts.set(action, before + 1);
    const { authorization } = request.headers;
    const intercepted = intercept({ action, params, before, accessKeyId: signerOf({ authorization }) });
    const answer = intercepted ?? simulator.answer(requestOf(request, body));
    response.writeHead(answer.status ?? 200, answer.headers).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
