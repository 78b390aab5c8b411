import { readFileSync } from "node:fs";
import { toUSVString } from "node:util";
import fc, { type Arbitrary } from "fast-check";
import { ID } from "../support/account.ts";
import { bySchema, HOSTILE, type Schema } from "../support/schema-arbitrary.ts";

interface Parameter {
  readonly name: string;
  readonly in: "query" | "path";
  readonly schema: Schema;
}

interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
}

const { paths } = JSON.parse(readFileSync("src/web/openapi.json", "utf8")) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};

/** One request, and the bytes of it. */
export interface GeneratedRequest {
  readonly method: string;
  /** With the query. */
  readonly url: string;
  readonly bytes: Buffer;
}

export interface RequestOptions {
  readonly secret: string;
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"];
/** An address about which AWS says nothing but an error. */
export const FAULTY = "10.9.9.9";
/** Names of what there is and of what there is not, and seconds that end soon. */
const WORDS = [ID, "10.0.1.5", "i-00000000000000009", FAULTY, "no-such-node.internal", "0", "1", "0.2", "false"];
const NAMES = ["id", "ip", "node"];
const OPTIONS = { words: WORDS, oneWrongIn: 12 };

/** Requests by the API's description: right ones, and ones with something wrong in any place. */
export function requests({ secret }: RequestOptions): Arbitrary<GeneratedRequest> {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => requestTo(path, method.toUpperCase(), operation, secret)),
  );
  // Two of the six know what to do with input.
  const weights = operations.map((arbitrary) => ({
    arbitrary: arbitrary.request,
    weight: arbitrary.takesInput ? 8 : 1,
  }));
  return fc.oneof(...weights);
}

/** Drains of these nodes that nobody waits for: so many parts have to be right that the others are rarely such. */
export function unwaitedDrains({ secret }: RequestOptions, ids: readonly string[]): Arbitrary<GeneratedRequest> {
  return fc.constantFrom(...ids).map((id) =>
    written({
      ...{ method: "POST", path: "/drain", query: `id=${id}&wait=false&force=true`, body: "" },
      headers: [`Authorization: Bearer ${secret}`],
    }),
  );
}

function requestTo(path: string, method: string, { parameters = [], requestBody }: Operation, secret: string) {
  const query = fc.record(
    Object.fromEntries(
      parameters.filter((each) => each.in === "query").map(({ name, schema }) => [name, bySchema(schema, OPTIONS)]),
    ),
    { requiredKeys: [] },
  );
  const pathValues = parameters.filter((each) => each.in === "path").map(({ schema }) => bySchema(schema, OPTIONS));
  const body = requestBody?.content["application/json"]?.schema;
  const request = fc
    .record({
      method: usually(fc.constant(method), fc.constantFrom(...METHODS)),
      path: usually(
        fc.tuple(...pathValues).map((values) => filled(path, values)),
        hostilePath(),
      ),
      query: usually(fc.tuple(query, fc.nat(3)).map(queryText), fc.oneof(query.map(twice), hostileText())),
      headers: headers(secret),
      body: body === undefined ? rarely(hostileText()) : bodies(bySchema(body, OPTIONS)),
    })
    .map((parts) => written(parts));
  return { request, takesInput: parameters.length > 0 || requestBody !== undefined };
}

function usually<T>(right: Arbitrary<T>, wrong: Arbitrary<T>): Arbitrary<T> {
  return fc.oneof({ arbitrary: right, weight: 14 }, { arbitrary: wrong, weight: 1 });
}

function rarely(text: Arbitrary<string>): Arbitrary<string> {
  return usually(fc.constant(""), text);
}

/** Half of the callers say everything in the query, so that what they say there does not clash. */
function bodies(values: Arbitrary<unknown>): Arbitrary<string> {
  const json = values.map((value) => JSON.stringify(value) ?? "");
  return fc.oneof({ arbitrary: fc.constant(""), weight: 4 }, { arbitrary: json, weight: 4 }, hostileText());
}

function hostileText(): Arbitrary<string> {
  return HOSTILE.map((value) => (typeof value === "string" ? value : JSON.stringify(value)));
}

/** As a client writes one: without what ends a request's line. */
function hostilePath(): Arbitrary<string> {
  const places = fc.constantFrom(
    "/",
    "//",
    "/drain/",
    "/DRAIN",
    "/nodes/",
    "/nodes/a/b",
    "/nodes/..",
    "/%2e%2e/drain",
    "/drain;x",
  );
  return fc.oneof(
    places,
    hostileText().map((text) => `/nodes/${encodeURIComponent(toUSVString(text))}`),
  );
}

function headers(secret: string): Arbitrary<readonly string[]> {
  const right = fc.constant([`Authorization: Bearer ${secret}`]);
  const others = fc.constantFrom<readonly string[]>(
    [],
    ["Authorization: Bearer wrong"],
    ["Authorization: Basic eDp5"],
    [`Authorization: Bearer ${secret}`, `Authorization: Bearer ${secret}`],
    [`Authorization: Bearer ${secret}`, "Expect: miracles"],
    [`Authorization: Bearer ${secret}`, "Expect: 100-continue"],
    [`Authorization: Bearer ${secret}`, "Content-Encoding: gzip"],
    [`Authorization: Bearer ${secret}`, "Upgrade: websocket", "Connection: upgrade"],
    [`Authorization: Bearer ${secret}`, "Content-Type: multipart/form-data; boundary="],
    [`Authorization: Bearer ${secret}`, `Cookie: ${"c".repeat(20_000)}`],
    [`Authorization: Bearer ${secret}`, ...Array.from({ length: 300 }, (_, index) => `X-${index}: ${index}`)],
  );
  return fc.oneof({ arbitrary: right, weight: 20 }, { arbitrary: others, weight: 1 });
}

function filled(path: string, values: readonly unknown[]): string {
  const left = [...values];
  return path.replace(/\{\w+\}/g, () => encodeURIComponent(textOf(left.shift())));
}

function encoded(query: Readonly<Record<string, unknown>>): string {
  return new URLSearchParams(
    Object.entries(query).map(([name, value]): [string, string] => [name, textOf(value)]),
  ).toString();
}

/** Of a node's three names mostly one, for with several a request gets no further. */
function queryText([query, name]: [Readonly<Record<string, unknown>>, number]): string {
  const superfluous = NAMES.filter((_, index) => name < NAMES.length && index !== name);
  return encoded(Object.fromEntries(Object.entries(query).filter(([key]) => !superfluous.includes(key))));
}

function twice(query: Readonly<Record<string, unknown>>): string {
  return `${encoded(query)}&${encoded(query)}`;
}

function textOf(value: unknown): string {
  return toUSVString(typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
}

function written(parts: {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: readonly string[];
  readonly body: string;
}): GeneratedRequest {
  // What is no part of a URL would be no request's line: `rawBytes` has those.
  const query = parts.query.replace(/[^!-~]/gu, (character) => encodeURIComponent(toUSVString(character)));
  const url = `${parts.path}${query === "" ? "" : `?${query}`}`;
  const body = Buffer.from(parts.body);
  const head = [
    `${parts.method} ${url} HTTP/1.1`,
    "Host: service",
    `Content-Length: ${body.length}`,
    "Connection: close",
  ];
  const text = `${[...head, ...parts.headers].join("\r\n")}\r\n\r\n`;
  return { method: parts.method, url, bytes: Buffer.concat([Buffer.from(text, "latin1"), body]) };
}

/** Anything at all: noise, requests with bytes flipped, cut out or put in, and what looks like HTTP. */
export function rawBytes(options: RequestOptions): Arbitrary<Buffer> {
  const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  const places = fc.array(fc.tuple(fc.nat(), fc.nat(20), fc.uint8Array({ maxLength: 8 })), {
    minLength: 1,
    maxLength: 4,
  });
  const spoilt = fc.tuple(requests(options), places).map(([{ bytes }, changes]) =>
    changes.reduce((before, [place, length, put]) => {
      const at = place % (before.length + 1);
      return Buffer.concat([before.subarray(0, at), put, before.subarray(at + length)]);
    }, bytes),
  );
  const words = fc.constantFrom(
    ...[
      "GET",
      "POST",
      " ",
      "/drain",
      "/health",
      "?",
      "HTTP/1.1",
      "HTTP/1.0",
      "\r\n",
      "\r\n\r\n",
      "\n",
      "Host: h\r\n",
      "\0",
    ],
    ...[
      "Transfer-Encoding: chunked\r\n",
      "Content-Length: 5\r\n",
      "5\r\n",
      "0\r\n\r\n",
      "ffffffffffffffff\r\n",
      ":",
      "x",
    ],
    `Authorization: Bearer ${options.secret}\r\n`,
  );
  const alike = fc.array(words, { minLength: 1, maxLength: 30 }).map((all) => Buffer.from(all.join(""), "latin1"));
  return fc.oneof(noise, { arbitrary: spoilt, weight: 3 }, { arbitrary: alike, weight: 2 });
}
