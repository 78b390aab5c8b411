import { describe, expect, test } from "vitest";
import type { ConnectionReport } from "../../src/drain/early-release.ts";
import { TokenCheck, type TokenChecking } from "../../src/web/token-check.ts";
import { serviceAccountToken } from "../support/service-account-token.ts";
import { ID, SECRET, webApp } from "../support/web-app.ts";

const PATH = `/nodes/${ID}/connections`;
const REPORT = { turn: "a1", tables: ["sockets"], ports: [{ port: 30080, open: 2, seen: true }] };

/** The API before an early release that keeps what it is told, for callers with the secret and with tokens. */
function scene(nodeName?: string) {
  const taken: (readonly [string, ConnectionReport])[] = [];
  const review = async () => ({
    username: "system:serviceaccount:kube-system:agent",
    ...(nodeName !== undefined && { nodeName }),
    may: async () => true,
  });
  const check: TokenChecking["check"] = (guard) => new TokenCheck({ ...guard, review, onFailure: () => {} });
  const app = webApp({
    tokens: { audience: "hasta-la-vista", check },
    instanceOf: async (name) => (name === "node-1" ? ID : undefined),
    takeConnections: (id, report) => {
      taken.push([id, report]);
      return { isDraining: true, ports: [{ port: 8080, address: "10.0.1.5" }], turn: "b2", afterMs: 1_000 };
    },
  });
  const send = (secret: string, report: object = REPORT, path = PATH) => {
    const headers = { authorization: `Bearer ${secret}` };
    return app.post(path, { headers, body: JSON.stringify(report) });
  };
  return { ...app, taken, send };
}

describe("a report of connections", () => {
  test("is taken from a caller with the secret, who is told what to count next", async () => {
    const { send, taken, answered } = scene();
    const answer = await send(SECRET);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({
      draining: true,
      ports: [{ port: 8080, address: "10.0.1.5" }],
      turn: "b2",
      afterSeconds: 1,
    });
    expect(taken).toEqual([[ID, REPORT]]);
    expect(answered).toEqual([{ method: "POST", path: "/nodes/{node}/connections", status: 200 }]);
  });

  test("is taken from a pod of the node, by its token", async () => {
    const { send, taken } = scene("node-1");
    expect((await send(serviceAccountToken({}))).status).toBe(200);
    expect(taken).toHaveLength(1);
  });

  test.each([
    ["another node's pod", "node-2", /the token belongs to a pod of another node/],
    ["a token that names no node", undefined, /the token does not name the node of its pod/],
  ])("is refused from %s", async (_, nodeName, detail) => {
    const { send, taken } = scene(nodeName);
    const answer = await send(serviceAccountToken({}));
    expect(answer.status).toBe(403);
    expect(((await answer.json()) as { detail: string }).detail).toMatch(detail);
    expect(taken).toEqual([]);
  });

  test("is refused where a wrong secret comes with it", async () => {
    const { send, taken } = scene();
    expect((await send("wrong")).status).toBe(403);
    expect(taken).toEqual([]);
  });

  test("has room for all ports that it may be asked for", async () => {
    const { send } = scene();
    const port = { port: 65_535, address: "2001:0db8:0000:0000:0000:0000:0000:0007", open: 9_999_999, seen: false };
    const full = { turn: "x".repeat(64), tables: ["sockets", "conntrack"], ports: Array(150).fill(port) };
    expect((await send(SECRET, full)).status).toBe(200);
    expect((await send(SECRET, { ...full, ports: Array(151).fill(port) })).status).toBe(400);
  });
});
