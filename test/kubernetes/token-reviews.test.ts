import { describe, expect, test } from "vitest";
import { SystemClock } from "../../src/drain/clock.ts";
import { TokenReviews } from "../../src/kubernetes/token-reviews.ts";
import { clientOf } from "../support/api-client.ts";
import { FakeApiServer, type FakeRequest, type Intercepted, refusal } from "../support/fake-api-server.ts";
import { serviceAccountToken } from "../support/service-account-token.ts";
import { never } from "../support/simulated-region.ts";

const TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews";
const ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
const USER = {
  username: "system:serviceaccount:ci:deployer",
  uid: "u-1",
  groups: ["system:serviceaccounts", "system:authenticated"],
  extra: { "authentication.kubernetes.io/pod-name": ["deployer-0"] },
};
const VALID = { authenticated: true, user: USER, audiences: ["hasta-la-vista"] };
const token = serviceAccountToken({ sub: "reviewed" });

/** Reviews by an API server that answers so. */
async function scene(answer: (request: FakeRequest) => Intercepted) {
  const clock = new SystemClock();
  const fake = await FakeApiServer.start(clock);
  fake.intercept = answer;
  const reviews = new TokenReviews({ server: await clientOf(fake, clock), audience: "hasta-la-vista" });
  return { fake, review: () => reviews.review(token, never) };
}

const created = (status: object): Intercepted => ({ status: 201, body: { status } });

describe("a token", () => {
  test("of a pod names the node of the pod, where the API server says so", async () => {
    const extra = { ...USER.extra, "authentication.kubernetes.io/node-name": ["node-1"] };
    const named = await scene(() => created({ ...VALID, user: { ...USER, extra } }));
    expect((await named.review())?.nodeName).toBe("node-1");
    const older = await scene(() => created(VALID));
    expect((await older.review())?.nodeName).toBeUndefined();
  });

  test("is reviewed for the audience of the service, and its user for one permission", async () => {
    const { fake, review } = await scene(({ path }) => created(path === TOKENS ? VALID : { allowed: true }));
    const user = await review();
    expect(user?.username).toBe(USER.username);
    expect(await user?.may({ verb: "create", resource: "drains" }, never)).toBe(true);
    const { username, ...more } = USER;
    expect(fake.requests.map(({ method, path, body }) => ({ method, path, body }))).toEqual([
      {
        method: "POST",
        path: TOKENS,
        body: {
          apiVersion: "authentication.k8s.io/v1",
          kind: "TokenReview",
          spec: { token, audiences: ["hasta-la-vista"] },
        },
      },
      {
        method: "POST",
        path: ACCESS,
        body: {
          apiVersion: "authorization.k8s.io/v1",
          kind: "SubjectAccessReview",
          spec: {
            user: username,
            ...more,
            resourceAttributes: { group: "hasta-la-vista.io", verb: "create", resource: "drains" },
          },
        },
      },
    ]);
  });

  test.each<[string, object]>([
    ["that is not authenticated", { authenticated: false, error: "invalid bearer token" }],
    ["of no status", {}],
    ["for another audience", { ...VALID, audiences: ["https://kubernetes.default.svc"] }],
    ["reviewed without regard to its audience", { authenticated: true, user: USER }],
    ["of no user", { ...VALID, user: {} }],
    ["of a user without a name", { ...VALID, user: { username: "" } }],
    ["authenticated as a text says", { ...VALID, authenticated: "true" }],
  ])("%s is not valid", async (_, status) => {
    const { review } = await scene(() => created(status));
    expect(await review()).toBeUndefined();
  });

  test.each<[string, object]>([
    ["denied", { allowed: false, denied: true }],
    ["not decided", {}],
    ["allowed as a text says", { allowed: "true" }],
  ])("of a user whose permission is %s opens nothing", async (_, status) => {
    const { review } = await scene(({ path }) => created(path === TOKENS ? VALID : status));
    expect(await (await review())?.may({ verb: "create", resource: "drains" }, never)).toBe(false);
  });

  test.each<[string, Intercepted, object]>([
    ["drops the connection", "drop", { code: "unreachable" }],
    ["fails", refusal(500, "InternalError"), { code: "unavailable" }],
    ["has too much to do", refusal(429, "TooManyRequests"), { code: "throttled" }],
    ["answers no JSON", { status: 201, body: "<html>" }, { code: "unreachable" }],
    [
      "denies the service the review",
      refusal(403, "Forbidden", "tokenreviews is forbidden"),
      {
        code: "access-denied",
        message: expect.stringContaining("'hasta-la-vista rbac --token-review' prints the role"),
      },
    ],
  ])("is neither valid nor invalid while the API server %s", async (_, answer, failure) => {
    const { review } = await scene(() => answer);
    const error = await review().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "DrainError", ...failure });
    expect(String(error)).not.toContain(token.slice(0, 30));
  });
});
