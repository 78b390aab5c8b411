import { describe, expect, test } from "vitest";
import { DrainError } from "../../src/drain/errors.ts";
import type { NodeReference } from "../../src/drain/request.ts";
import { NotAccepted } from "../../src/web/http-source.ts";
import type { ReadyState } from "../../src/web/readiness.ts";
import { ID, NODE, SECRET, webApp } from "../support/web-app.ts";

const bearer = { authorization: `Bearer ${SECRET}` };

describe("GET /nodes/<node>", () => {
  test.each<[string, string, NodeReference]>([
    ["an instance id", ID, { by: "id", value: ID }],
    ["a private address", "10.0.1.5", { by: "ip", value: "10.0.1.5" }],
    ["an IPv6 address", "fd00%3A%3A5", { by: "ip", value: "fd00::5" }],
    ["a node name", "ip-10-0-1-5.ec2.internal", { by: "name", value: "ip-10-0-1-5.ec2.internal" }],
  ])("takes %s", async (_, node, reference) => {
    const asked: NodeReference[] = [];
    const { request } = webApp({
      status: async (each) => {
        asked.push(each);
        return { node: NODE, asOf: 0, registrations: [], elsewhere: [] };
      },
    });
    const response = await request(`/nodes/${node}`, { headers: bearer });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      node: { id: ID, name: "n", network: "vpc-1" },
      asOf: "1970-01-01T00:00:00.000Z",
      registrations: [],
      elsewhere: [],
    });
    expect(asked).toEqual([reference]);
  });

  test("needs the secret, in either place", async () => {
    const { request } = webApp();
    expect((await request(`/nodes/${ID}`)).status).toBe(401);
    expect((await request(`/nodes/${ID}?pw=wrong`)).status).toBe(403);
    expect((await request(`/nodes/${ID}?pw=${encodeURIComponent(SECRET)}`)).status).toBe(200);
  });

  test.each([
    ["/nodes/i-abcdefg", "'i-abcdefg' is not an instance id: give one such as i-0123456789abcdef0"],
    ["/nodes/10.0.0.999", "'10.0.0.999' is not an IP address: give one such as 10.0.1.5"],
    [`/nodes/${ID}?wait=1`, "unknown 'wait' in the query: it takes pw"],
  ])("says what is wrong with %s", async (path, detail) => {
    const response = await webApp().request(path, { headers: bearer });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ detail });
  });

  test.each([
    ["node-not-found", 404],
    ["instance-gone", 404],
    ["other-cluster", 404],
    ["ambiguous-node", 409],
    ["access-denied", 502],
    ["unreachable", 502],
  ] as const)("is a problem with its code where the node can't be looked at: %s", async (code, status) => {
    const { request, errors } = webApp({
      status: async () => {
        throw new DrainError(code, "why");
      },
    });
    const response = await request(`/nodes/${ID}`, { headers: bearer });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ status, code, detail: "why" });
    expect(errors).toEqual([]);
  });

  test("answers 503 when the service ends meanwhile", async () => {
    const { request } = webApp({
      status: async () => {
        throw new NotAccepted("the service is stopping");
      },
    });
    const response = await request(`/nodes/${ID}`, { headers: bearer });
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "5"]);
  });

  test("never shows the path's node to the log: whoever mistypes the URL may have put the secret there", async () => {
    const { request, answered } = webApp();
    await request("/nodes/what-nobody-else-may-see", { headers: bearer });
    expect(answered).toEqual([{ method: "GET", path: "/nodes/{node}", status: 200 }]);
  });

  test.each(["POST", "DELETE"])("does not take %s", async (method) => {
    const response = await webApp().request(`/nodes/${ID}`, { method });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });
});

describe("GET /ready", () => {
  const denied = (action: string) => ({
    action,
    error: new DrainError("access-denied", `AWS denied ${action} (AWS says: arn:aws:iam::123456789012:role/x may not)`),
  });
  const notReady = (...problems: Extract<ReadyState, { status: "not-ready" }>["problems"]): ReadyState => ({
    status: "not-ready",
    checkedAt: 0,
    problems,
  });

  test("is 200 when the last check went well, and says when that was", async () => {
    const response = await webApp({ ready: () => ({ status: "ready", checkedAt: 0 }) }).request("/ready");
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: "ready", checkedAt: "1970-01-01T00:00:00.000Z" });
  });

  test.each<[string, ReadyState, object]>([
    ["the first check has not ended", { status: "checking" }, { reason: "checking" }],
    ["the service is stopping", { status: "stopping" }, { reason: "stopping", detail: "the service is stopping" }],
    [
      "AWS denies actions: all of them are named",
      notReady(denied("ec2:DescribeInstances"), denied("elasticloadbalancing:DescribeTags")),
      {
        reason: "access-denied",
        detail: "AWS denies ec2:DescribeInstances, elasticloadbalancing:DescribeTags: allow it in the IAM policy",
      },
    ],
    [
      "there are no credentials",
      notReady({ error: new DrainError("no-credentials", "m") }),
      { reason: "no-credentials", detail: expect.stringContaining("no valid AWS credentials") },
    ],
    [
      "there is no region",
      notReady({ error: new DrainError("no-region", "m") }),
      { reason: "no-region", detail: expect.stringContaining("AWS_REGION") },
    ],
    [
      "AWS can't be reached",
      notReady({ error: new DrainError("unreachable", "m") }),
      { reason: "unreachable", detail: expect.stringContaining("can't reach AWS") },
    ],
    [
      "AWS fails",
      notReady({ action: "ec2:DescribeInstances", error: new DrainError("cloud-error", "m") }),
      { reason: "cloud-error", detail: "ec2:DescribeInstances failed: the log of the service has the error" },
    ],
  ])("is 503 while %s", async (_, state, expected) => {
    const response = await webApp({ ready: () => state }).request("/ready");
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "5"]);
    const body = await response.text();
    expect(JSON.parse(body)).toMatchObject({ status: 503, ...expected });
    // It answers anybody: what AWS says names accounts and roles.
    expect(body).not.toContain("123456789012");
  });
});

describe("GET /openapi.json", () => {
  test("answers anybody, with the version that runs", async () => {
    const response = await webApp().request("/openapi.json");
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ openapi: "3.1.0", info: { version: "1.2.3" } });
  });
});

test.each(["/health", "/ready", "/metrics", "/openapi.json"])("HEAD %s has no body", async (path) => {
  const response = await webApp().request(path, { method: "HEAD" });
  expect(await response.text()).toBe("");
});
