import { describe, expect, test } from "vitest";
import { ID } from "../support/account.ts";
import { accountInKubernetes } from "../support/account-in-kubernetes.ts";
import { type Intercepted, refusal } from "../support/fake-api-server.ts";
import { serveHere } from "../support/run-here.ts";
import { serviceAccountToken } from "../support/service-account-token.ts";

const TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews";
const ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
const SECRET = "a-secret-beside-the-tokens";
const USER = "system:serviceaccount:ci:deployer";
const VALID = { authenticated: true, user: { username: USER }, audiences: ["drains"] };
const token = serviceAccountToken({ sub: USER, aud: ["drains"] });

/** A service in a cluster whose API server reviews tokens so. */
async function scene(review: () => Intercepted = () => ({ status: 201, body: { status: VALID } })) {
  const { env, fake, clock } = await accountInKubernetes(undefined, 1);
  fake.intercept = ({ path }) => {
    if (path === ACCESS) return { status: 201, body: { status: { allowed: true } } };
    return path === TOKENS ? review() : undefined;
  };
  const environment = { ...env, SECRET, UNDO: "true", TOKEN_REVIEW: "true", TOKEN_AUDIENCE: "drains" };
  const { child, url } = await serveHere(environment, [], { clock });
  const ask = async (secret: string, path: string, method = "GET") => {
    const answer = await fetch(url + path, { method, headers: { authorization: `Bearer ${secret}` } });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  return { fake, child, ask };
}

describe("a service with TOKEN_REVIEW", () => {
  test("drains for a caller with a token, and its report and log name the caller and not the token", async () => {
    const { fake, child, ask } = await scene();
    const { status, body } = await ask(token, `/drain?id=${ID}`, "POST");
    expect(status).toBe(200);
    const { body: drain } = await ask(token, `/drains/${body["drainId"]}`);
    expect(drain["requests"]).toEqual([expect.objectContaining({ asker: expect.objectContaining({ user: USER }) })]);
    expect(child.output).toMatch(new RegExp(`"path":"/drain","status":200,"user":"${USER}","msg":"request answered"`));
    const reviews = fake.requests.filter(({ path }) => path === TOKENS);
    expect(reviews.map(({ body: sent }) => sent)).toEqual([
      expect.objectContaining({ spec: { token, audiences: ["drains"] } }),
    ]);
  });

  test("shows the overview to a caller who may list drains", async () => {
    const { fake, ask } = await scene();
    expect(await ask(token, "/overview")).toMatchObject({ status: 200, body: { running: [] } });
    const asked = fake.requests.filter(({ path }) => path === ACCESS).map(({ body }) => body);
    expect(asked).toEqual([
      expect.objectContaining({
        spec: expect.objectContaining({
          user: USER,
          resourceAttributes: { group: "hasta-la-vista.io", resource: "drains", verb: "list" },
        }),
      }),
    ]);
  });

  test.each<[string, Intercepted, RegExp]>([
    ["denies the review", refusal(403, "Forbidden"), /"code":"access-denied".*rbac --token-review' prints the role/],
    ["does not answer", "hang", /"code":"unreachable".*no complete answer within 2 s/],
    ["drops the connection", "drop", /"code":"unreachable"/],
  ])("answers 503 where the API server %s, says why in the log, and accepts the secret", async (_, answer, line) => {
    const { child, ask } = await scene(() => answer);
    expect((await ask(token, "/drains")).status).toBe(503);
    expect(JSON.parse(await child.line(/"msg":"token review failed"/))).toMatchObject({ level: "warn" });
    expect(child.output).toMatch(line);
    expect((await ask(SECRET, "/drains")).status).toBe(200);
  });

  test("refuses a token that is not valid, and asks nothing for one that is none", async () => {
    const { fake, ask } = await scene(() => ({ status: 201, body: { status: { authenticated: false } } }));
    expect((await ask(token, "/drains")).status).toBe(401);
    expect((await ask("a-mistyped-secret", "/drains")).status).toBe(403);
    expect(fake.requests.filter(({ path }) => path === TOKENS)).toHaveLength(1);
  });
});
