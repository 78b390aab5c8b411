import { describe, expect, test } from "vitest";
import { DrainError } from "../../src/drain/errors.ts";
import { type Access, type ReviewedCaller, TokenCheck, type TokenChecking } from "../../src/web/token-check.ts";
import { serviceAccountToken } from "../support/service-account-token.ts";
import { ID, SECRET, webApp } from "../support/web-app.ts";

const USER = "system:serviceaccount:ci:deployer";
const EVERYTHING = () => true;

interface Cluster {
  /** Whose token it is. Undefined: it is not valid. */
  readonly user?: (token: string) => Promise<string | undefined> | string | undefined;
  readonly may?: (access: Access) => Promise<boolean> | boolean;
}

/** The API before a cluster that reviews tokens so, and what the cluster was asked. */
function scene({ user = () => USER, may = EVERYTHING }: Cluster = {}, more: Parameters<typeof webApp>[0] = {}) {
  const reviewed: string[] = [];
  const asked: string[] = [];
  const failures: string[] = [];
  const review = async (token: string): Promise<ReviewedCaller | undefined> => {
    reviewed.push(token);
    const username = await user(token);
    return username === undefined
      ? undefined
      : {
          username,
          may: async (access) => {
            asked.push(`${access.verb} ${access.resource}`);
            return may(access);
          },
        };
  };
  const onFailure = (error: unknown) => failures.push((error as Error).message);
  const check: TokenChecking["check"] = (guard) => new TokenCheck({ ...guard, review, onFailure });
  const app = webApp({ tokens: { audience: "hasta-la-vista", check }, ...more });
  return { ...app, reviewed, asked, failures };
}

const by = (token: string, more: RequestInit = {}): RequestInit => ({
  ...more,
  headers: { authorization: `Bearer ${token}`, ...more.headers },
});
const PATH = `/nodes/${ID}`;
const away = () => Promise.reject(new DrainError("unreachable", "the API server is away"));
const detailOf = async (answer: Response) => ((await answer.json()) as { detail: string }).detail;

describe("a token of the cluster", () => {
  const token = serviceAccountToken({ sub: USER });

  test("opens the door for its user, whose name is in the request and in the log", async () => {
    const app = scene();
    const answer = await app.post(`/drain?id=${ID}`, by(token, { headers: { "user-agent": "curl/8" } }));
    expect(answer.status).toBe(200);
    expect(app.requests[0]?.asker).toEqual({ via: "http", address: "192.0.2.1", agent: "curl/8", user: USER });
    expect(app.answered).toEqual([{ method: "POST", path: "/drain", status: 200, user: USER }]);
  });

  test.each([
    ["POST", `/drain?id=${ID}`, "create drains"],
    ["GET", "/drains", "list drains"],
    ["GET", "/drains/d-1", "get drains"],
    ["GET", "/drains/d-1/events", "get drains"],
    ["DELETE", "/drains/d-1", "delete drains"],
    ["GET", PATH, "get nodes"],
    ["DELETE", `${PATH}/drains`, "delete drains"],
  ])("needs for %s %s the permission to %s, which the refusal names", async (method, path, permission) => {
    const allowed = scene({ may: ({ verb, resource }) => `${verb} ${resource}` === permission });
    expect([401, 403]).not.toContain((await allowed.request(path, by(token, { method }))).status);
    expect(allowed.asked).toEqual([permission]);
    const refused = scene({ may: ({ verb, resource }) => `${verb} ${resource}` !== permission });
    const answer = await refused.request(path, by(token, { method }));
    expect(answer.status).toBe(403);
    const [verb, resource] = permission.split(" ");
    expect(await detailOf(answer)).toContain(`${USER} may not '${verb}' '${resource}' of the group hasta-la-vista.io`);
    expect(refused.answered[0]).toMatchObject({ status: 403, client: "192.0.2.1", user: USER });
    expect(refused.requests).toEqual([]);
  });

  test("is reviewed once in a minute, and its permissions too, however many requests have it", async () => {
    const app = scene();
    await Promise.all(Array.from({ length: 50 }, () => app.request(PATH, by(token))));
    await app.request("/drains", by(token), "203.0.113.7");
    expect(app.reviewed).toEqual([token]);
    expect(app.asked).toEqual(["get nodes", "list drains"]);
    await app.clock.advance(60_001);
    await app.request(PATH, by(token));
    expect(app.reviewed).toHaveLength(2);
    expect(app.asked).toHaveLength(3);
  });

  test("is refused when it was revoked, within a minute", async () => {
    let isDeleted = false;
    const app = scene({ user: () => (isDeleted ? undefined : USER) });
    expect((await app.request(PATH, by(token))).status).toBe(200);
    isDeleted = true;
    await app.clock.advance(60_001);
    expect((await app.request(PATH, by(token))).status).toBe(401);
  });

  test("is not known for longer than it lives", async () => {
    const app = scene();
    const short = serviceAccountToken({ exp: (app.clock.now() + 20_000) / 1_000 });
    await app.request(PATH, by(short));
    await app.clock.advance(19_999);
    await app.request(PATH, by(short));
    expect(app.reviewed).toHaveLength(1);
    await app.clock.advance(1);
    await app.request(PATH, by(short));
    expect(app.reviewed).toHaveLength(2);
  });

  test("counts ten seconds after its user was granted the permission", async () => {
    let isGranted = false;
    const app = scene({ may: () => isGranted });
    expect((await app.request(PATH, by(token))).status).toBe(403);
    isGranted = true;
    expect((await app.request(PATH, by(token))).status).toBe(403);
    expect(app.asked).toHaveLength(1);
    await app.clock.advance(10_001);
    expect((await app.request(PATH, by(token))).status).toBe(200);
  });

  test("that the cluster does not accept is refused with what may be wrong", async () => {
    const app = scene({ user: () => undefined });
    const answer = await app.request(PATH, by(token));
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toBe('Bearer error="invalid_token"');
    expect(await detailOf(answer)).toMatch(/expired.*or it is not for the audience 'hasta-la-vista'/);
  });

  test("is named to a caller that has sent nothing, with its audience", async () => {
    expect(await detailOf(await scene().request(PATH))).toContain(
      "for the audience 'hasta-la-vista' is accepted there",
    );
    expect(await detailOf(await webApp().request(PATH))).not.toContain("audience");
  });

  test("is a wrong secret where tokens are not reviewed", async () => {
    const answer = await webApp().request(PATH, by(token));
    expect([answer.status, await detailOf(answer)]).toEqual([403, "the secret is wrong"]);
  });

  test("is shown to the cluster only from the Authorization header, and nothing else is", async () => {
    const app = scene();
    expect((await app.request(`${PATH}?pw=${token}`)).status).toBe(403);
    for (const other of ["a-mistyped-secret", "k8s-aws-v1.aHR0cHM6Ly9zdHM", `${token}.more`, "a.b.c"])
      expect((await app.request(PATH, by(other))).status).toBe(403);
    expect(app.reviewed).toEqual([]);
  });

  test("is not looked at without the client certificate that is needed", async () => {
    const app = scene({}, { clientCertificate: true });
    expect((await app.request(PATH, by(token))).status).toBe(403);
    expect(app.reviewed).toEqual([]);
  });
});

describe("while the API server", () => {
  const token = serviceAccountToken({ sub: "while away" });

  test.each<[string, Cluster]>([
    ["does not review the token", { user: away }],
    ["does not say what its user may do", { may: away }],
  ])("%s, the caller gets 503, the secret is accepted, and nothing counts as wrong", async (_, cluster) => {
    const app = scene(cluster);
    for (let number = 0; number < 20; number += 1) {
      const answer = await app.request(PATH, by(token));
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).toBe("5");
      expect(await detailOf(answer)).toContain("the API server does not say now whether the token is valid");
    }
    expect(app.failures).toEqual(Array(20).fill("the API server is away"));
    // As the description of each path has it.
    expect((await app.post(`/drain?id=${ID}`, by(token))).status).toBe(503);
    for (const path of ["/drains", "/drains/d-1", "/drains/d-1/events"])
      expect((await app.request(path, by(token))).status).toBe(503);
    for (const path of ["/drains/d-1", `${PATH}/drains`])
      expect((await app.request(path, by(token, { method: "DELETE" }))).status).toBe(503);
    expect((await app.request(PATH, by(SECRET))).status).toBe(200);
    expect((await app.request(PATH, by("a-wrong-secret"))).status).toBe(403);
    expect(app.told).toEqual([]);
  });

  test("hangs, a caller waits five seconds, and a token that is known opens the door", async () => {
    let hangs = false;
    const app = scene({ user: () => (hangs ? new Promise(() => {}) : USER) });
    await app.request(PATH, by(token));
    hangs = true;
    const waiting = app.request(PATH, by(serviceAccountToken({ sub: "another" })));
    expect((await app.request(PATH, by(token))).status).toBe(200);
    expect((await app.request(PATH, by(SECRET))).status).toBe(200);
    await app.clock.advance(5_000);
    expect((await waiting).status).toBe(503);
    expect(app.failures).toEqual([expect.stringContaining("within 5 s")]);
  });
});

test("a caller that leaves while its token is reviewed is no failure of the API server", async () => {
  let asked = () => {};
  const begun = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const user = () => {
    asked();
    return new Promise<string>(() => {});
  };
  const app = scene({ user });
  const left = new AbortController();
  const answer = app.request(PATH, by(serviceAccountToken({ sub: "impatient" }), { signal: left.signal }));
  await begun;
  left.abort();
  expect((await answer).status).toBe(400);
  expect([app.failures, app.errors]).toEqual([[], []]);
});

describe("wrong tokens", () => {
  const wrong = Array.from({ length: 200 }, (_, number) => serviceAccountToken({ wrong: number }));
  const right = serviceAccountToken({ right: true });
  const user = (token: string) => (token === right ? USER : undefined);

  test("of one client are reviewed no more after ten, however many come at the same time", async () => {
    const app = scene({ user });
    const answers = await Promise.all(wrong.map((token) => app.request(PATH, by(token))));
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(10);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(190);
    expect(app.reviewed).toHaveLength(10);
    expect(app.told).toEqual([["limited", "192.0.2.1"]]);
    expect((await app.request(PATH, by(SECRET))).status).toBe(200);
    expect((await app.request(PATH, by(right), "203.0.113.7")).status).toBe(200);
  });

  test("and wrong secrets share one limit", async () => {
    const app = scene({ user });
    for (let number = 0; number < 10; number += 1) await app.request(PATH, by("a-wrong-secret"));
    expect((await app.request(PATH, by(wrong[0] ?? ""))).status).toBe(429);
    expect(app.reviewed).toEqual([]);
  });

  test("beside right ones do not keep these out, once they are known", async () => {
    const app = scene({ user });
    expect((await app.request(PATH, by(right))).status).toBe(200);
    for (const token of wrong.slice(0, 20)) await app.request(PATH, by(token));
    expect((await app.request(PATH, by(right))).status).toBe(200);
    // One more is forgiven in six seconds, which a right one does not use up.
    await app.clock.advance(60_001);
    expect((await app.request(PATH, by(right))).status).toBe(200);
  });

  test("that are sent again are not reviewed again for ten seconds, and count", async () => {
    const app = scene({ user });
    const [token = ""] = wrong;
    const statuses = [];
    for (let number = 0; number < 12; number += 1) statuses.push((await app.request(PATH, by(token))).status);
    expect(statuses).toEqual([...Array(10).fill(401), 429, 429]);
    expect(app.reviewed).toHaveLength(1);
  });

  test("of one client are reviewed one after the other, and keep no other client waiting", async () => {
    const waiting: (() => void)[] = [];
    const app = scene({
      user: (token) => (token === right ? USER : new Promise((done) => waiting.push(() => done(undefined)))),
    });
    const answers = wrong.slice(0, 5).map((token) => app.request(PATH, by(token)));
    expect((await app.request(PATH, by(right), "203.0.113.7")).status).toBe(200);
    for (let number = 1; number <= 5; number += 1) {
      await expect.poll(() => waiting.length).toBe(number);
      waiting.at(-1)?.();
      await answers[number - 1];
    }
    expect(app.reviewed).toHaveLength(6);
  });

  test("do not displace right ones from memory, which holds ten thousand", async () => {
    const app = scene({ user });
    await app.request(PATH, by(right));
    for (let number = 0; number < 1_100; number += 1)
      await app.request(PATH, by(serviceAccountToken({ flood: number })), `10.0.${number >> 8}.${number & 0xff}`);
    const before = app.reviewed.length;
    await app.request(PATH, by(right));
    expect(app.reviewed).toHaveLength(before);
    // The oldest of the wrong ones was forgotten.
    await app.request(PATH, by(serviceAccountToken({ flood: 0 })));
    expect(app.reviewed).toHaveLength(before + 1);
  });
});

describe("a token in another place than its own is refused or masked, and shown to nobody:", () => {
  const own = serviceAccountToken({ sub: "own" });
  const others = serviceAccountToken({ sub: "somebody else" });

  test.each([
    ["its own token", own, own],
    ["the token of another caller", own, others],
    ["a token, by a caller with the secret", SECRET, others],
    ["its own token in base64", own, Buffer.from(own).toString("base64url")],
  ])("%s", async (_, sent, token) => {
    const app = scene();
    const refused = [
      await app.request(`/nodes/${token}`, by(sent)),
      await app.request(`/drains/${token}`, by(sent)),
      await app.post(`/drain?id=${ID}&reason=${token}`, by(sent)),
      await app.post("/drain", by(sent, { body: JSON.stringify({ id: ID, reason: `because ${token}` }) })),
      await app.post("/drain", by(sent, { body: JSON.stringify({ node: token }) })),
    ];
    expect(refused.map(({ status }) => status)).toEqual([400, 400, 400, 400, 400]);
    await app.post(`/drain?id=${ID}`, by(sent, { headers: { "user-agent": `curl ${token} x` } }));
    expect(app.requests.map(({ asker }) => asker?.agent)).toEqual([
      // The last character of base64 may be shared with what stands beside it.
      expect.stringMatching(/^curl …\w? x$/),
    ]);
    expect(JSON.stringify([app.answered, app.told, app.failures, app.requests])).not.toContain(token.slice(0, 40));
  });
});
