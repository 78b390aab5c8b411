import { createServer } from "node:http";
import { onTestFinished } from "vitest";
import { LOOPBACK, listen } from "../../src/simulator/listen.ts";
import type { Simulator } from "../../src/simulator/simulator.ts";
import { SecurityTokenService, signedFor, type TrustedRole } from "./security-token-service.ts";

export const NO_INSTANCES =
  '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet/></DescribeInstancesResponse>';

/** What a call was signed for, as it came. */
interface PlaceCall {
  readonly accountId: string;
  readonly region: string;
  readonly action: string;
}

/**
 * AWS of several accounts and regions behind one address, for programs that get AWS_ENDPOINT_URL: each call goes where its
 * signature says. `simulators`: the first one's account is that of the program's own credentials. `machinesOf`: the account
 * whose the machines are; EC2 describes them to no other one. Absent: the first one's.
 */
export async function placesEndpoint(
  simulators: readonly [Simulator, ...Simulator[]],
  roles: readonly TrustedRole[],
  machinesOf = simulators[0].world.accountId,
) {
  const sts = new SecurityTokenService(roles);
  const calls: PlaceCall[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { authorization } = request.headers;
    const signed = signedFor(authorization);
    const accountId = sts.accountOf(signed.accessKeyId) ?? simulators[0].world.accountId;
    const { region } = signed;
    const there = simulators.find(({ world }) => world.accountId === accountId && world.region === region);
    const isSts = signed.service === "sts";
    const action = new URLSearchParams(body).get("Action") ?? "";
    calls.push({ accountId, region, action });
    const isAnothers = action === "DescribeInstances" && accountId !== machinesOf;
    const answer = isSts
      ? sts.answer(body, signed)
      : isAnothers
        ? { status: 200, body: NO_INSTANCES }
        : there?.answer({ body, authorization });
    const headers = answer !== undefined && "headers" in answer ? answer.headers : { "content-type": "text/xml" };
    response.writeHead(answer?.status ?? 403, headers).end(answer?.body);
  });
  const url = await listen(server, { port: 0, host: LOOPBACK });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url, sts, calls };
}
