import { createServer } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type AwsClientOptions, createAwsClients } from "../../src/aws/clients.ts";
import { DrainError } from "../../src/drain/errors.ts";
import { errorXml } from "../../src/simulator/api/answer.ts";
import { AwsError } from "../../src/simulator/aws-error.ts";
import { timesAsFast } from "../support/fast-clock.ts";
import { awsProvider, type ProviderCalls } from "../support/provider-calls.ts";
import { elbError, never, SimulatedRegion } from "../support/simulated-region.ts";

const SECRETS = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  sessionToken: "FwoGZXIvYXdzEBYaDEXAMPLETOKEN",
};

// What this machine knows of AWS is no part of any of these tests.
beforeEach(() => {
  const known = Object.keys(process.env).filter((name) => name.startsWith("AWS_") && !name.startsWith("AWS_SDK_JS_"));
  for (const name of known) vi.stubEnv(name, undefined);
  for (const name of ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"]) vi.stubEnv(name, "/nonexistent/file");
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

test.each<[string, string]>([
  ["DescribeInstances", "ec2:DescribeInstances"],
  ["DescribeTargetGroups", "elasticloadbalancing:DescribeTargetGroups"],
  ["DescribeLoadBalancers", "elasticloadbalancing:DescribeLoadBalancers"],
  ["DescribeTargetHealth", "elasticloadbalancing:DescribeTargetHealth"],
  ["DescribeTargetGroupAttributes", "elasticloadbalancing:DescribeTargetGroupAttributes"],
  ["DescribeInstanceHealth", "elasticloadbalancing:DescribeInstanceHealth"],
  ["DescribeLoadBalancerAttributes", "elasticloadbalancing:DescribeLoadBalancerAttributes"],
  ["DescribeTags", "elasticloadbalancing:DescribeTags"],
])("where AWS denies %s the message names %s", async (denied, permission) => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node] });
  region.classic({ name: "old", nodes: [node] });
  region.classic({ name: "empty" });
  region.intercept = ({ action }) => {
    if (action !== denied) return undefined;
    if (action === "DescribeInstances") return ec2Error("UnauthorizedOperation", "You are not authorized", 403);
    return elbError("AccessDenied", "User: arn:aws:iam::123456789012:user/x is not authorized", 403);
  };
  const error = await search(
    awsProvider(region.restrictedClients({ DISCOVERY: "tag" }), { discovery: "tag" }),
    node.id,
  );
  expect(error.code).toBe("access-denied");
  expect(error.message).toMatch(new RegExp(`^AWS denied ${permission}: allow it in the IAM policy \\(AWS says: `));
});

test("without a region it says how to set one", async () => {
  const error = await search(providerWith({ credentials: SECRETS }));
  expect(error).toMatchObject({ code: "no-region", message: "no AWS region: set AWS_REGION, or --region" });
});

test("without credentials it says so", async () => {
  const error = await search(providerWith({ region: "eu-west-1" }));
  expect(error.code).toBe("no-credentials");
  expect(error.message).toContain("ec2:DescribeInstances");
});

test("an endpoint that nobody listens on is unreachable, and is named", async () => {
  const port = await closedPort();
  const clients = createAwsClients({
    region: "eu-west-1",
    credentials: SECRETS,
    endpoint: `http://127.0.0.1:${port}`,
  });
  const error = await search(awsProvider(clients, {}, timesAsFast(20)));
  expect(error.code).toBe("unreachable");
  expect(error.message).toContain(`127.0.0.1:${port}`);
});

test("a call that a classic load balancer's dependency throttles is repeated", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.classic({ name: "old", nodes: [node] });
  region.intercept = ({ action, before }) =>
    action === "DescribeLoadBalancerAttributes" && before === 0
      ? elbError("DependencyThrottle", "A request made by Elastic Load Balancing to another service was throttled")
      : undefined;
  const provider = awsProvider(region.restrictedClients());
  const found = await provider.findRegistrations(await provider.resolve({ by: "id", value: node.id }, never), never);
  expect(found.registrations).toHaveLength(1);
});

test.each<[string, () => ReturnType<typeof elbError>]>([
  ["answers with an error", () => ec2Error("UnauthorizedOperation", "You are not authorized", 403)],
  ["throttles, so that the call would be repeated", () => ec2Error("RequestLimitExceeded", "Rate exceeded", 503)],
])("an abort while AWS %s rejects with the abort's own reason", async (_, answer) => {
  const region = new SimulatedRegion();
  const controller = new AbortController();
  const reason = { why: "the drain is over" };
  region.intercept = () => {
    controller.abort(reason);
    return answer();
  };
  const provider = awsProvider(region.restrictedClients());
  const resolving = provider.resolve({ by: "ip", value: "10.0.0.1" }, controller.signal);
  await expect(resolving).rejects.toBe(reason);
  expect(region.calls).toHaveLength(1);
});

test("what is aborted before it begins calls nobody", async () => {
  const region = new SimulatedRegion();
  const reason = { why: "the drain is over" };
  const provider = awsProvider(region.restrictedClients());
  const resolving = provider.resolve({ by: "ip", value: "10.0.0.1" }, AbortSignal.abort(reason));
  await expect(resolving).rejects.toBe(reason);
  expect(region.calls).toEqual([]);
});

test.each(["SignatureDoesNotMatch", "IncompleteSignature", "InvalidClientTokenId", "AuthFailure"])(
  "no credential gets into the message, though AWS quotes the request it refuses with %s",
  async (code) => {
    const region = new SimulatedRegion();
    const quoted = [
      "The Canonical String for this request should have been 'POST",
      `x-amz-security-token:${SECRETS.sessionToken}`,
      `Credential=${SECRETS.accessKeyId}/20260101/eu-west-1/ec2/aws4_request'`,
    ].join("\n");
    region.intercept = () => ec2Error(code, quoted, 403);
    const provider = providerWith({ region: "eu-west-1", ...region.aws(SECRETS) });
    const error = await search(provider);
    expect(error.code).toBe("no-credentials");
    expect(error.message).toContain(code);
    for (const secret of Object.values(SECRETS)) expect(error.message).not.toContain(secret);
  },
);

function providerWith(options: AwsClientOptions): ProviderCalls {
  return awsProvider(createAwsClients(options));
}

/** Resolves, finds and describes, and answers how that failed. */
async function search(provider: ProviderCalls, id = "i-00000000000000001"): Promise<DrainError> {
  try {
    const node = await provider.resolve({ by: "id", value: id }, never);
    const { registrations, elsewhere } = await provider.findRegistrations(node, never);
    for (const { pool } of [...registrations, ...elsewhere]) await provider.describe(pool, never);
  } catch (error) {
    if (error instanceof DrainError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

function ec2Error(code: string, message: string, status: number): ReturnType<typeof elbError> {
  const body = errorXml(new AwsError(code, message, status), { namespace: "", protocol: "ec2" }, "r");
  return { status, headers: { "content-type": "text/xml" }, body };
}

async function closedPort(): Promise<number> {
  const server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
  await new Promise((resolve) => server.close(resolve));
  return port;
}
