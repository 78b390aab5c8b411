import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SecretMask } from "../../src/web/secret-mask.ts";
import { keepSecret, RANDOM_SECRET, searchForSecrets } from "../support/secret-search.ts";
import { serviceAccountToken } from "../support/service-account-token.ts";
import { ID, webApp } from "../support/web-app.ts";

const OTHER = 'Old+secret/of "yesterday"\\==';
const hexadecimal = (digits: number) => (unit: number) => unit.toString(16).padStart(digits, "0");

/** What a text may go through before it is sent or stored. */
const WAYS: Readonly<Record<string, (text: string) => string>> = {
  "as it is": (text) => text,
  "in a URL": encodeURIComponent,
  "in a URL, in lower case": (text) => encodeURIComponent(text).replace(/%../g, (code) => code.toLowerCase()),
  "in a form": (text) => new URLSearchParams([["", text]]).toString().slice(1),
  "in a URL in a URL": (text) => encodeURIComponent(encodeURIComponent(text)),
  "in a URL, each byte escaped": (text) => [...Buffer.from(text)].map((byte) => `%${hexadecimal(2)(byte)}`).join(""),
  "from a form whose plus signs were not escaped": (text) => text.replaceAll("+", " "),
  "in JSON": (text) => JSON.stringify(text).slice(1, -1),
  "in JSON, slashes escaped": (text) => JSON.stringify(text).slice(1, -1).replaceAll("/", "\\/"),
  "in JSON in JSON": (text) => JSON.stringify(JSON.stringify(text)).slice(3, -3),
  "in JSON, each character escaped": (text) =>
    text
      .split("")
      .map((unit) => `\\u${hexadecimal(4)(unit.charCodeAt(0))}`)
      .join(""),
  "in JSON in a URL": (text) => encodeURIComponent(JSON.stringify(text).slice(1, -1)),
  "in a header": (text) => Buffer.from(text, "utf8").toString("latin1"),
};

describe.each(Object.entries(WAYS))("a secret %s", (_, way) => {
  test("is masked, with nothing of it left, and the text around it stays", () => {
    const characters = fc.oneof(
      fc.constantFrom(..."/+=-_%\\\"'<>&? .:;,"),
      fc.constantFrom(..."abcXYZ019"),
      fc.constantFrom("ü", "→", "😀"),
    );
    const secrets = fc
      .array(characters, { minLength: 16, maxLength: 60 })
      .map((each) => each.join(""))
      // A secret of nothing but padding is none.
      .filter((text) => text.trim() === text && /^[^=]/.test(text) && /[a-z]/i.test(text));
    fc.assert(
      fc.property(secrets, (secret) => {
        const mask = new SecretMask([OTHER, secret]);
        const masked = mask.masked(`(before ${way(secret)} after)`);
        expect(masked).toBe("(before … after)");
        expect(mask.isIn(`x${way(secret)}y`)).toBe(true);
      }),
      { numRuns: 100, seed: 7 },
    );
  });
});

test.each([0, 1, 2, 3])("a secret in base64, %i bytes into what was encoded, is masked", (before) => {
  for (const alphabet of ["base64", "base64url"] as const) {
    const encoded = Buffer.from(`${"u".repeat(before)}${RANDOM_SECRET}`).toString(alphabet);
    const masked = new SecretMask([RANDOM_SECRET]).masked(`Basic ${encoded} end`);
    // What it shares with the characters beside it.
    expect(masked).toMatch(/^Basic \S{0,4}…\S{0,4} end$/);
  }
});

test("a secret without the padding at its end is masked", () => {
  expect(new SecretMask([RANDOM_SECRET]).masked(`a ${RANDOM_SECRET.replace(/=+$/, "")} b`)).toBe("a … b");
});

test("a secret of several kilobytes is masked", () => {
  const secret = "Ab+/".repeat(1_000);
  for (const way of ["as it is", "in a URL", "in JSON"])
    expect(new SecretMask([secret]).masked(`a ${WAYS[way]?.(secret)} b`)).toBe("a … b");
});

test("of one secret that is a part of another nothing is left either", () => {
  expect(new SecretMask([RANDOM_SECRET, `${RANDOM_SECRET}-and-more`]).masked(`a ${RANDOM_SECRET}-and-more b`)).toBe(
    "a … b",
  );
});

test("the beginning of a secret at the end of a text, as a program leaves it that shortens texts, is masked", () => {
  const mask = new SecretMask([RANDOM_SECRET]);
  expect(mask.masked(`token ${RANDOM_SECRET.slice(0, 20)}`)).toBe("token …");
  expect(mask.masked(`token ${RANDOM_SECRET.slice(0, 8)}`)).toBe("token …");
  expect(mask.masked("token Zm9")).toBe("token Zm9");
});

test("a short secret is masked as a whole word, and stays where it may stand by chance", () => {
  const mask = new SecretMask(["node"]);
  expect(mask.masked("node (node) pw=node, nodes node-1 inode")).toBe("… (…) pw=…, nodes …-1 inode");
  expect([mask.isIn("node"), mask.isAll(" Node "), mask.isAll("node-1")]).toEqual([false, true, false]);
});

describe("a caller with one of several right secrets", () => {
  const bearer = { authorization: `Bearer ${RANDOM_SECRET}` };
  const app = () => webApp({ secrets: [RANDOM_SECRET, OTHER] });

  test.each([RANDOM_SECRET, OTHER])(
    "that puts one into its User-Agent leaves nothing of it, also where that is cut",
    async (secret) => {
      const { post, requests } = app();
      for (let before = 150; before <= 200; before += 5) {
        const agent = `${"x".repeat(before)} ${secret}`;
        await post(`/drain?id=${ID}`, { headers: { ...bearer, "user-agent": agent } });
        expect(requests.at(-1)?.asker?.agent).toBe(before === 200 ? `${"x".repeat(200)}…` : `${"x".repeat(before)} …`);
      }
      searchForSecrets("what the drainer is asked", JSON.stringify(requests));
    },
  );

  test.each([
    ["as a reason", `/drain?id=${ID}&reason=${encodeURIComponent(OTHER)}`, undefined],
    ["twice escaped in a reason", `/drain?id=${ID}&reason=${encodeURIComponent(encodeURIComponent(OTHER))}`, undefined],
    ["as a node's name", `/drain?node=${encodeURIComponent(OTHER)}`, undefined],
    ["in a path", `/nodes/${encodeURIComponent(OTHER)}`, undefined],
    ["in the path of a drain", `/drains/${encodeURIComponent(OTHER)}`, undefined],
    ["in the body", "/drain", JSON.stringify({ id: ID, reason: OTHER })],
    ["in base64 in the body", "/drain", JSON.stringify({ id: ID, reason: Buffer.from(OTHER).toString("base64") })],
  ])("and sends the other %s is refused without a word of it", async (_, path, body) => {
    keepSecret(OTHER);
    const { request, requests, answered } = app();
    const method = path.startsWith("/drain?") || path === "/drain" ? "POST" : "GET";
    const response = await request(path, { method, headers: bearer, ...(body === undefined ? {} : { body }) });
    expect(response.status).toBe(400);
    expect(requests).toEqual([]);
    expect(answered).toMatchObject([{ problem: expect.stringContaining("the secret is in a part of the request") }]);
  });

  test("and names a node by a short one is refused, and reads nothing of it in what is wrong with a name", async () => {
    const { post, request, requests } = webApp({ secrets: [RANDOM_SECRET, "lettuce"] });
    for (const path of ["/drain?node=lettuce", "/drain?node=Lettuce", "/nodes/lettuce", "/drains/lettuce"]) {
      const response = await (path.startsWith("/drain?") ? post : request)(path, { headers: bearer });
      expect(response.status).toBe(400);
      expect(await response.text()).not.toMatch(/lettuce/i);
    }
    const malformed = await post("/drain?ip=lettuce!", { headers: bearer });
    expect(await malformed.json()).toMatchObject({
      detail: "ip: '…!' is not an IP address: give one such as 10.0.1.5",
    });
    expect(requests).toEqual([]);
  });
});

describe("a JSON web token, whoever it belongs to,", () => {
  const token = serviceAccountToken({ sub: "not known beforehand" });
  const mask = new SecretMask([RANDOM_SECRET]);

  test.each(Object.entries(WAYS))("is found %s, and masked", (_, way) => {
    expect(mask.masked(`(before ${way(token)} after)`)).toBe("(before … after)");
    expect(mask.isIn(`/${way(token)}/`)).toBe(true);
  });

  test.each([
    "ip-10-0-1-5.eu-west-1.compute.internal",
    "eyJhbGciOiJSUzI1NiJ9",
    "https://example.com/eyJhbGciOiJSUzI1NiJ9.eyJ.x",
    "1.2.3-alpha.eyJ",
  ])("is not seen in %s", (text) => {
    expect([mask.masked(text), mask.isIn(text)]).toEqual([text, false]);
  });
});
