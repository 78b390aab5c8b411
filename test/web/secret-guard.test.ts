import { describe, expect, test } from "vitest";
import { ID, SECRET, webApp } from "../support/web-app.ts";

const right = { headers: { authorization: `Bearer ${SECRET}` } };
const wrong = { headers: { authorization: "Bearer wrong" } };
const PATH = `/nodes/${ID}`;

type App = ReturnType<typeof webApp>;

/** How each of so many wrong secrets is answered. */
async function guess({ request }: App, times: number, address?: string): Promise<readonly number[]> {
  const statuses: number[] = [];
  for (let time = 0; time < times; time++) statuses.push((await request(PATH, wrong, address)).status);
  return statuses;
}

describe("wrong secrets", () => {
  test("are limited after ten, and the answer says when to come again", async () => {
    const app = webApp();
    expect(await guess(app, 11)).toEqual([...Array(10).fill(403), 429]);
    const limited = await app.request(PATH, wrong);
    expect(limited.status).toBe(429);
    expect(limited.headers.get("retry-after")).toBe("6");
    expect(limited.headers.get("connection")).toBe("close");
    expect(await limited.json()).toMatchObject({
      detail: expect.stringContaining("send the right secret, which is accepted at once"),
    });
  });

  test("keep nobody out: a right one passes at once, and does not count", async () => {
    const app = webApp();
    await guess(app, 9);
    for (let time = 0; time < 20; time++) expect((await app.request(PATH, right)).status).toBe(200);
    expect(await guess(app, 2)).toEqual([403, 429]);
    expect((await app.request(PATH, right)).status).toBe(200);
    expect((await app.request(`${PATH}?pw=${encodeURIComponent(SECRET)}`)).status).toBe(200);
  });

  test("are limited in the query too, on each route that needs the secret, and to those without one nothing is limited", async () => {
    const app = webApp();
    for (let time = 0; time < 20; time++) expect((await app.request(PATH)).status).toBe(401);
    await guess(app, 10);
    expect((await app.request(`${PATH}?pw=wrong`)).status).toBe(429);
    expect((await app.post(`/drain?id=${ID}&pw=wrong`)).status).toBe(429);
    expect((await app.request("/health")).status).toBe(200);
  });

  test("are forgiven with time, one in six seconds, ten at most", async () => {
    const app = webApp();
    await guess(app, 11);
    await app.clock.advance(5_999);
    expect(await guess(app, 1)).toEqual([429]);
    await app.clock.advance(1);
    expect(await guess(app, 2)).toEqual([403, 429]);
    await app.clock.advance(3_600_000);
    expect(await guess(app, 11)).toEqual([...Array(10).fill(403), 429]);
  });

  test("are counted for each address on its own", async () => {
    const app = webApp();
    await guess(app, 11, "192.0.2.1");
    expect(await guess(app, 1, "192.0.2.2")).toEqual([403]);
    expect(await guess(app, 1, "::ffff:192.0.2.1")).toEqual([429]);
  });

  test("are counted together for the addresses of one IPv6 network of 64 bits, which one machine may have all of", async () => {
    const app = webApp();
    await guess(app, 11, "2001:db8:0:1::1");
    expect(await guess(app, 1, "2001:db8:0:1:aaaa:bbbb:cccc:dddd")).toEqual([429]);
    expect(await guess(app, 1, "2001:db8:0:2::1")).toEqual([403]);
    expect(await guess(app, 1, "fe80::1%eth0")).toEqual([403]);
  });

  test("from more addresses than are remembered share one limit, which is nobody's way round it", async () => {
    const app = webApp();
    await guess(app, 11, "192.0.2.1");
    for (let number = 0; number < 10_000; number++) {
      await app.app.request(PATH, wrong, {
        incoming: { socket: { remoteAddress: `10.0.${number >> 8}.${number & 0xff}` } },
      });
    }
    expect(await guess(app, 1, "192.0.2.1")).toEqual([429]);
    const late = await Promise.all(Array.from({ length: 11 }, (_, number) => guess(app, 1, `203.0.113.${number}`)));
    expect(late.flat()).toContain(429);
    expect((await app.request(PATH, right, "203.0.113.99")).status).toBe(200);
    await app.clock.advance(60_000);
    expect(await guess(app, 1, "203.0.113.1")).toEqual([403]);
  });

  test("are told to the log with where they come from, and of those beyond the limit one alone until it is quiet", async () => {
    const app = webApp();
    await guess(app, 20);
    expect(app.told).toEqual([["limited", "192.0.2.1"]]);
    expect(app.answered[0]).toEqual({ method: "GET", path: "/nodes/{node}", status: 403, client: "192.0.2.1" });
    await app.clock.advance(6_000);
    await guess(app, 5);
    expect(app.told).toHaveLength(1);
    await app.clock.advance(60_000);
    await guess(app, 20);
    expect(app.told).toHaveLength(2);
  });
});

describe("the secret in the query", () => {
  test("is warned about once, when it first opens the door, with where it came from", async () => {
    const app = webApp();
    await app.request(`${PATH}?pw=wrong`);
    await app.request(PATH, right);
    expect(app.told).toEqual([]);
    await app.request(`${PATH}?pw=${encodeURIComponent(SECRET)}`, {}, "192.0.2.7");
    await app.request(`${PATH}?pw=${encodeURIComponent(SECRET)}`);
    expect(app.told).toEqual([["query secret", "192.0.2.7"]]);
  });

  test("can be switched off: then it is refused, right or wrong, with where to send it", async () => {
    const app = webApp({ querySecret: false });
    for (const pw of [SECRET, "wrong"]) {
      const refused = await app.request(`${PATH}?pw=${pw}`);
      expect(refused.status).toBe(401);
      expect(await refused.json()).toMatchObject({
        detail: "send the secret: 'Authorization: Bearer …', not in the query",
      });
    }
    expect((await app.request(PATH)).status).toBe(401);
    expect((await app.request(PATH, right)).status).toBe(200);
    expect(app.told).toEqual([]);
  });
});

test("without a client certificate, where one is needed, nobody learns whether a secret is right", async () => {
  const app = webApp({ clientCertificate: true });
  const answers = [await app.request(PATH, right), await app.request(PATH, wrong), await app.request(PATH)];
  expect(answers.map(({ status }) => status)).toEqual([403, 403, 403]);
  const details = await Promise.all(
    answers.map(async (answer) => ((await answer.json()) as { detail: string }).detail),
  );
  expect(new Set(details)).toEqual(
    new Set(["no valid client certificate was presented: use one that an authority in TLS_CLIENT_CA_FILE has issued"]),
  );
  expect((await app.request("/health")).status).toBe(200);
});

describe("the secret in another place than its own is refused, and shown to nobody:", () => {
  const escaped = [...SECRET].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
  const percent = [...SECRET].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join("");
  test.each<[string, string, object | string | undefined]>([
    ["as a node's name", `/drain?node=${SECRET}`, undefined],
    ["as a part of a name", `/drain?node=x${SECRET}.internal`, undefined],
    ["in percent signs", `/drain?node=${percent}`, undefined],
    ["as a parameter's name", `/drain?${encodeURIComponent(SECRET)}=1&id=${ID}`, undefined],
    ["as a reason", `/drain?id=${ID}&reason=because%20${encodeURIComponent(SECRET)}`, undefined],
    ["as a reason in the body", "/drain", { id: ID, reason: SECRET }],
    ["as a field of the body", "/drain", { id: ID, [SECRET]: true }],
    ["as the body", "/drain", SECRET],
    ["in the body, in escapes", "/drain", `{"node":"${escaped}"}`],
    [
      "beside pw, where it belongs",
      `/drain?pw=${encodeURIComponent(SECRET)}&node=${encodeURIComponent(SECRET)}`,
      undefined,
    ],
  ])("%s", async (_, path, body) => {
    const { post, requests, answered } = webApp();
    const headers = path.includes("pw=") ? {} : right.headers;
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const response = await post(path, { headers, ...(text === undefined ? {} : { body: text }) });
    expect(response.status).toBe(400);
    const { detail } = (await response.json()) as { detail: string };
    expect(detail).toBe(
      "the secret is in a part of the request that is logged: send it only in the Authorization header",
    );
    expect(requests).toEqual([]);
    expect(answered).toEqual([{ method: "POST", path: "/drain", status: 400, problem: detail }]);
  });

  test("in a path", async () => {
    const { request, answered } = webApp();
    for (const path of [`/nodes/${encodeURIComponent(SECRET)}`, `/nodes/${percent}`])
      expect((await request(path, right)).status).toBe(400);
    expect(answered.map(({ path }) => path)).toEqual(["/nodes/{node}", "/nodes/{node}"]);
  });

  test("but a short one may stand in a name by chance", async () => {
    const { post, requests } = webApp({ secrets: ["node"] });
    expect((await post("/drain?node=node-1&pw=node")).status).toBe(200);
    expect(requests).toHaveLength(1);
  });
});
