import { expect, test } from "vitest";
import { account, ID } from "../support/account.ts";
import { type RawAnswer, request, sendRaw } from "../support/raw-http.ts";
import { serveHere } from "../support/run-here.ts";
import { RANDOM_SECRET } from "../support/secret-search.ts";
import { webApp } from "../support/web-app.ts";

const SECRET = RANDOM_SECRET;
const BEARER = `Authorization: Bearer ${SECRET}`;

/** Bytes that somebody may send, and what they are answered. */
interface Row {
  readonly what: string;
  readonly bytes: string | Buffer;
  /** `closed` without an answer; `open` while the service waits for the rest. */
  readonly answer: number | "closed" | "open";
  /** In the answer's `detail`, where it has one. */
  readonly says?: RegExp;
}

const row = (what: string, bytes: string | Buffer, answer: Row["answer"], says?: RegExp): Row => ({
  what,
  bytes,
  answer,
  ...(says && { says }),
});

/** `POST /drain` with the right secret. */
const drain = (what: string, query: string, body: string | Buffer | undefined, says: RegExp, status = 400): Row =>
  row(what, request(`POST /drain${query}`, { headers: [BEARER], ...(body && { body }) }), status, says);

/** `POST /drain` with another secret, or none. */
const stranger = (what: string, query: string, headers: readonly string[], status: number, says: RegExp): Row =>
  row(what, request(`POST /drain${query}`, { headers, body: `{"id":"${ID}"}` }), status, says);

/** A head without what `request` adds. */
const head = (...lines: readonly string[]) => `${lines.join("\r\n")}\r\n\r\n`;
const DRAIN_HEAD = ["POST /drain HTTP/1.1", "Host: service", "Connection: close", BEARER];

const SECRETS: readonly Row[] = [
  stranger("no secret", "", [], 401, /send the secret: 'Authorization: Bearer/),
  stranger("an empty secret", "?pw=", [], 401, /send the secret/),
  stranger("an empty token", "", ["Authorization: Bearer "], 401, /send the secret/),
  stranger("an empty header", "", ["Authorization:"], 401, /send the secret/),
  stranger("another scheme", "", [`Authorization: Basic ${SECRET}`], 401, /send the secret/),
  stranger("a scheme that runs into the token", "", [`Authorization: Bearer${SECRET}`], 401, /send the secret/),
  stranger("the secret in another case of pw", `?PW=${SECRET}`, [], 401, /send the secret/),
  stranger("the secret as a header of its own", "", [`pw: ${SECRET}`], 401, /send the secret/),
  stranger("a wrong secret", "?pw=wrong", [], 403, /^the secret is wrong$/),
  stranger("a wrong token", "", ["Authorization: Bearer wrong"], 403, /^the secret is wrong$/),
  stranger("a token with a letter more", "", [`${BEARER}x`], 403, /^the secret is wrong$/),
  stranger("a token in the wrong case", "", [BEARER.toUpperCase()], 403, /^the secret is wrong$/),
  stranger("a quoted token", "", [`Authorization: Bearer "${SECRET}"`], 403, /^the secret is wrong$/),
  stranger(
    "a wrong token beside the right pw",
    `?pw=${encodeURIComponent(SECRET)}`,
    ["Authorization: Bearer wrong"],
    403,
    /is wrong$/,
  ),
  stranger("two tokens", "", [BEARER, BEARER], 403, /is wrong: several Authorization headers were sent, send one$/),
  stranger("a wrong token and the right one", "", ["Authorization: Bearer wrong", BEARER], 403, /were sent, send one$/),
  stranger(
    "a wrong pw and the right one",
    `?pw=wrong&pw=${encodeURIComponent(SECRET)}`,
    [],
    403,
    /^the secret is wrong$/,
  ),
  stranger(
    "pw twice",
    `?pw=${encodeURIComponent(SECRET)}&pw=${encodeURIComponent(SECRET)}`,
    [],
    400,
    /'pw' is given twice in the query: give it once/,
  ),
  stranger("bytes that are no text as pw", "?pw=%ff%fe", [], 403, /^the secret is wrong$/),
  stranger("a secret of seven kilobytes", `?pw=${"x".repeat(7_168)}`, [], 403, /^the secret is wrong$/),
  stranger("a control character in the token", "", ["Authorization: Bearer a\u0001b"], 400, /malformed/),
  row("the secret in the body", request("POST /drain", { body: `{"pw":"${SECRET}"}` }), 401, /send the secret/),
  row(
    "a path without its question mark",
    request(`POST /drain&id=${ID}&pw=${encodeURIComponent(SECRET)}`),
    404,
    /no such path/,
  ),
  row("an encoded question mark", request(`POST /drain%3Fpw=${encodeURIComponent(SECRET)}`), 404, /no such path/),
  row("a URL for a proxy", request(`POST http://h/drain?pw=${encodeURIComponent(SECRET)}`), 400, /send only the path/),
  row(
    "a URL for a proxy, with a user",
    request(`POST http://u@h/drain?pw=${encodeURIComponent(SECRET)}`),
    400,
    /send only the path/,
  ),
];

const NODES: readonly Row[] = [
  drain("no node", "", undefined, /give 'id'.*'ip'.*or 'node'/),
  drain("a blank body", "", " \r\n ", /give 'id'/),
  drain("an empty id", "?id=", undefined, /'' is not an instance id: give one such as i-/),
  drain("a blank id", "?id=%20", undefined, /' ' is not an instance id/),
  drain("a malformed id", "?id=i-abcdefg", undefined, /'i-abcdefg' is not an instance id/),
  drain("an address as id", "?id=10.0.0.1", undefined, /'10.0.0.1' is not an instance id/),
  drain("a malformed ip", "?ip=10.0.0.256", undefined, /'10.0.0.256' is not an IP address/),
  drain("a network as ip", "?ip=10.0.0.0/24", undefined, /'10.0.0.0\/24' is not an IP address/),
  drain("a malformed name", "?node=under_score", undefined, /'under_score' is not a node name/),
  drain("a name of another script", "?node=gr%C3%B6%C3%9Fe", undefined, /'größe' is not a node name/),
  drain("a line's end and a header", "?node=a%0d%0aX:y", undefined, /'a\?\?X:y' is not a node name/),
  drain("an escape sequence and a NUL", "?id=%00%1b[31m", undefined, /'\?\?\[31m' is not an instance id/),
  drain("text that runs backwards", "?id=%E2%80%AEi-0", undefined, /'\?i-0' is not an instance id/),
  drain("bytes that are no text", "?id=%ff%fe", undefined, /'\ufffd\ufffd' is not an instance id/),
  drain("half an escape", "?id=%zz", undefined, /'%zz' is not an instance id/),
  drain("an id without end", `?id=${"i".repeat(8_000)}`, undefined, /'i{80}…' is not an instance id/),
  drain("a query without end", `?id=${"i".repeat(10_000)}`, undefined, /the URL is longer than 8192 characters/, 414),
  drain("id and ip", `?id=${ID}&ip=10.0.0.1`, undefined, /'id', 'ip' were given: give exactly one/),
  drain("all three, here and there", `?id=${ID}`, '{"ip":"10.0.0.1","node":"a"}', /'id', 'ip', 'node' were given/),
  drain("the id in query and body", `?id=${ID}`, `{"id":"${ID}"}`, /'id' is given in the query and in the body/),
  drain("the id twice", `?id=${ID}&id=${ID}`, undefined, /'id' is given twice in the query/),
  drain("the id twice in the body", "", `{"id":"${ID}","\\u0069d" : "${ID}"}`, /'id' is given twice in the body/),
];

const FIELDS: readonly Row[] = [
  drain(
    "an unknown parameter",
    `?id=${ID}&farce=yes`,
    undefined,
    /unknown 'farce' in the query: it takes id, ip, node/,
  ),
  drain("a parameter in the wrong case", `?ID=${ID}`, undefined, /unknown 'ID' in the query/),
  drain("a parameter named __proto__", `?__proto__=x&id=${ID}`, undefined, /unknown '__proto__' in the query/),
  drain("a parameter named constructor", `?constructor=x&id=${ID}`, undefined, /unknown 'constructor' in the query/),
  drain(
    "a thousand parameters",
    `?${Array.from({ length: 1_000 }, (_, index) => `k${index}=1`).join("&")}`,
    undefined,
    /^unknown 'k0', 'k1', 'k2', 'k3', 'k4' and 995 more in the query/,
  ),
  drain("an unknown field", "", `{"id":"${ID}","farce":true}`, /unknown 'farce' in the body: it takes id, ip, node/),
  drain("a field named __proto__", "", `{"__proto__":{"id":"x"},"id":"${ID}"}`, /unknown '__proto__' in the body/),
  drain("a dryRun that is neither", `?id=${ID}&dryRun=perhaps`, undefined, /'dryRun' in the query: /),
  drain("an empty dryRun", `?id=${ID}&dryRun=`, undefined, /'dryRun' in the query: /),
  drain("a number as dryRun", "", `{"id":"${ID}","dryRun":1}`, /'dryRun' in the body: /),
  drain("a force that is neither", `?id=${ID}&force=please`, undefined, /'force' in the query: /),
  drain("a number as force", "", `{"id":"${ID}","force":1}`, /'force' in the body: /),
  drain("an evict that is neither", `?id=${ID}&evict=please`, undefined, /'evict' in the query: /),
  drain("an object as evict", "", `{"id":"${ID}","evict":{}}`, /'evict' in the body: /),
  drain(
    "an eviction without a cluster",
    `?id=${ID}&evict=true`,
    undefined,
    /^'evict' is given, and KUBERNETES is not set/,
  ),
  drain(
    "how to evict, and no eviction",
    `?id=${ID}&gracePeriod=5`,
    '{"disableEviction":true}',
    /^'gracePeriod', 'disableEviction' requires 'evict': give "evict": true too/,
  ),
  drain(
    "half a second to end",
    `?id=${ID}&evict=true&gracePeriod=0.5`,
    undefined,
    /'gracePeriod' in the query: give whole/,
  ),
  drain(
    "two days to end",
    "",
    `{"id":"${ID}","evict":true,"gracePeriod":172800}`,
    /'gracePeriod' in the body: give whole/,
  ),
  drain(
    "an empty selector",
    `?id=${ID}&evict=true&podSelector=%20`,
    undefined,
    /'podSelector' in the query: give labels/,
  ),
  drain(
    "a number as selector",
    "",
    `{"id":"${ID}","evict":true,"podSelector":1}`,
    /'podSelector' in the body: give a string/,
  ),
  drain(
    "a text as permission",
    "",
    `{"id":"${ID}","deleteEmptydirData":"yes"}`,
    /'deleteEmptydirData' in the body: give true/,
  ),
  drain(
    "a number as permission",
    "",
    `{"id":"${ID}","evictUnmanaged":1}`,
    /'evictUnmanaged' in the body: give true or/,
  ),
  drain("a deadline that is no number", `?id=${ID}&deadline=soon`, undefined, /'deadline' in the query: give seconds/),
  drain("a deadline that was", `?id=${ID}&deadline=-1`, undefined, /'deadline' in the query: give seconds from 0/),
  drain("a moment as deadline", "", `{"id":"${ID}","deadline":"2026-01-01T00:00:00Z"}`, /'deadline' in the body: give/),
  drain("a deadline out of reach", "", `{"id":"${ID}","deadline":1e309}`, /'deadline' in the body: give seconds/),
  drain("a deadline above a day", "", `{"id":"${ID}","deadline":86401}`, /from 0 to 86400/),
  drain("two deadlines", `?id=${ID}&deadline=5`, `{"deadline":5}`, /'deadline' is given in the query and in the body/),
  drain("a number as id", "", '{"id":1}', /'id' in the body: /),
  drain("a number out of reach as id", "", '{"id":1e309}', /'id' in the body: /),
  drain("null as id", "", '{"id":null}', /'id' in the body: /),
  drain("a list as id", "", `{"id":["${ID}"]}`, /'id' in the body: /),
  drain("a list as body", "", "[]", /the body must be a JSON object/),
  drain("a number as body", "", "1", /the body must be a JSON object/),
  drain("null as body", "", "null", /the body must be a JSON object/),
  drain("half an object", "", '{"id":', /the body is not JSON: send an object such as/),
  drain("a form as body", "", `id=${ID}`, /the body is not JSON/),
  drain("XML as body", "", `<id>${ID}</id>`, /the body is not JSON/),
  drain("NULs as body", "", "\0\0", /the body is not JSON/),
  drain("a compressed body", "", Buffer.from([0x1f, 0x8b, 8, 0]), /the body is not JSON/),
  drain("a body that is no text", "", Buffer.from('{"id":"\xff"}', "latin1"), /'\ufffd' is not an instance id/),
  drain("lists, a thousand deep", "", `{"id":${"[".repeat(1_000)}${"]".repeat(1_000)}}`, /'id' in the body: /),
  drain("the largest body", "", " ".repeat(16_384), /give 'id'/),
  drain("one byte more", "", " ".repeat(16_385), /the body is larger than 16384 bytes/, 413),
];

const FRAMES: readonly Row[] = [
  row("a body of an exabyte", head(...DRAIN_HEAD, "Content-Length: 999999999999999"), 413, /larger than 16384 bytes/),
  row("a body of negative length", head(...DRAIN_HEAD, "Content-Length: -1"), 400, /malformed/),
  row("a length out of reach", head(...DRAIN_HEAD, `Content-Length: ${"9".repeat(30)}`), 400, /malformed/),
  row("two lengths", head(...DRAIN_HEAD, "Content-Length: 0", "Content-Length: 1"), 400, /malformed/),
  row("a length and chunks", head(...DRAIN_HEAD, "Content-Length: 1", "Transfer-Encoding: chunked"), 400, /malformed/),
  row("chunks of no length", `${head(...DRAIN_HEAD, "Transfer-Encoding: chunked")}zz\r\n`, 400, /malformed/),
  row("an unknown encoding", head(...DRAIN_HEAD, "Transfer-Encoding: gzip"), 400, /malformed/),
  row(
    "chunks that grow too large",
    `${head(...DRAIN_HEAD, "Transfer-Encoding: chunked")}4001\r\n${" ".repeat(0x4001)}\r\n`,
    413,
    /larger than 16384 bytes/,
  ),
  row("chunks without end", `${head(...DRAIN_HEAD, "Transfer-Encoding: chunked")}1\r\n{\r\n`, "open"),
  row("half a body", `${head(...DRAIN_HEAD, "Content-Length: 99")}{`, "open"),
  row(
    "more than its length",
    `${head("POST /drain HTTP/1.1", "Host: h", BEARER, "Content-Length: 1")} {}\r\n`,
    400,
    /give 'id'/,
  ),
  row(
    "an expectation of another kind",
    request("POST /drain", { headers: [BEARER, "Expect: miracles"] }),
    417,
    /Expect/,
  ),
];

/** `GET /nodes/…` with the right secret. */
function node(what: string, path: string, status: number, says: RegExp): Row {
  return row(what, request(`GET /nodes/${path}`, { headers: [BEARER] }), status, says);
}

/** `POST /nodes/…/connections` with the right secret. */
function connections(what: string, body: string, status: number, says: RegExp): Row {
  return row(what, request(`POST /nodes/${ID}/connections`, { headers: [BEARER], body }), status, says);
}

/** A report of one port. */
function counted(fields: string): string {
  return `{"tables":["sockets"],"ports":[{${fields}}]}`;
}

/** `GET /nodes` with the right secret. */
function nodes(what: string, query: string, status: number, says: RegExp): Row {
  return row(what, request(`GET /nodes${query}`, { headers: [BEARER] }), status, says);
}

const OVERVIEW = (below: string): readonly Row[] => [
  row("no secret", request(`GET /overview${below}`), 401, /send the secret/),
  row("a wrong secret", request(`GET /overview${below}?pw=wrong`), 403, /^the secret is wrong$/),
  row("an unknown parameter", request(`GET /overview${below}?farce=1`, { headers: [BEARER] }), 400, /unknown 'farce'/),
];

/** `GET` of something below `/drains`, with the right secret. */
function drains(
  what: string,
  path: string,
  status: number,
  says: RegExp | undefined,
  more: readonly string[] = [],
): Row {
  return row(what, request(`GET /drains${path}`, { headers: [BEARER, ...more] }), status, says);
}

const UNKNOWN_DRAINS = (below: string): readonly Row[] => [
  row("no secret", request(`GET /drains/d-1${below}`), 401, /send the secret/),
  row("a wrong secret", request(`GET /drains/d-1${below}?pw=wrong`), 403, /^the secret is wrong$/),
  drains(
    "one that there never was",
    `/d-0123456789${below}`,
    404,
    /there is no drain 'd-0123456789'.*GET \/drains lists/,
  ),
  drains("a number", `/1${below}`, 404, /there is no drain '1'/),
  drains("__proto__", `/__proto__${below}`, 404, /there is no drain '__proto__'/),
  drains("a path", `/..%2f..%2fetc${below}`, 404, /there is no drain '\.\.\/\.\.\/etc'/),
  drains("an escape sequence and a NUL", `/%1b[31m%00${below}`, 404, /there is no drain '\?\[31m\?'/),
  drains("a name without end", `/${"d".repeat(8_000)}${below}`, 404, /there is no drain 'd{80}…'/),
  drains("an unknown parameter", `/d-1${below}?farce=1`, 400, /unknown 'farce' in the query/),
];

/** Rows for each endpoint, by its route. A new endpoint gets an entry; `allow` is what it answers a wrong method. */
const ENDPOINTS: Readonly<Record<string, { readonly allow: string; readonly rows: readonly Row[] }>> = {
  "/drain": { allow: "POST", rows: [...SECRETS, ...NODES, ...FIELDS, ...FRAMES] },
  "/health": {
    allow: "GET, HEAD",
    rows: [
      row("a body where none belongs", request("GET /health", { body: "{" }), 200),
      row("HTTP/1.0 without a host", head("GET /health HTTP/1.0"), 200),
      row("garbage after it", `${head("GET /health HTTP/1.1", "Host: h")}\0\u0001\r\n\r\n`, 200),
      row("the next protocol", head("GET /health HTTP/3.0", "Host: h"), 400, /not HTTP\/1\.1/),
      row("the oldest protocol", "GET /health\r\n\r\n", 200),
    ],
  },
  "/metrics": {
    allow: "GET, HEAD",
    rows: [row("an unknown parameter", request("GET /metrics?name[]=x"), 200)],
  },
  "/ready": {
    allow: "GET, HEAD",
    rows: [row("the secret where none belongs", request(`GET /health?pw=${encodeURIComponent(SECRET)}`), 200)],
  },
  "/openapi.json": {
    allow: "GET, HEAD",
    rows: [row("an unknown parameter", request("GET /openapi.json?format=yaml"), 200)],
  },
  "/drains": {
    allow: "GET, HEAD",
    rows: [
      row("no secret", request("GET /drains"), 401, /send the secret/),
      row("a wrong secret", request("GET /drains?pw=wrong"), 403, /^the secret is wrong$/),
      ...["0", "1001", "-1", "1.5", "1e2", "", "many", "０"].map((limit) =>
        drains(
          `${limit} as limit`,
          `?limit=${encodeURIComponent(limit)}`,
          400,
          /'limit' .*whole number from 1 to 1000/,
        ),
      ),
      drains("the limit twice", "?limit=1&limit=1", 400, /'limit' is given twice in the query/),
      drains(
        "an unknown parameter",
        "?farce=1",
        400,
        /unknown 'farce' in the query: it takes limit, node, status, before, since and pw/,
      ),
      ...["0", "-1", "1.5", "1e2", "", "1h", "99999999", "٣"].map((since) =>
        drains(
          `${since} as since`,
          `?since=${encodeURIComponent(since)}`,
          400,
          /'since' .*give seconds from 1 to 31622400/,
        ),
      ),
      ...["", "RUNNING", "done", "planned"].map((status) =>
        drains(`${status} as status`, `?status=${status}`, 400, /'status' .*give one of running, ended, drained, /),
      ),
      drains("no node", "?node=", 400, /'node' in the query: give an instance id or a node name/),
      drains(
        "a node without end",
        `?node=${"a".repeat(254)}`,
        400,
        /give an instance id or a node name, of at most 253/,
      ),
      drains("an empty drain to continue after", "?before=", 400, /'before' .*give the drainId of a drain/),
      drains("one without end", `?before=${"d".repeat(101)}`, 400, /give the drainId of a drain, of at most 100/),
      drains("one that there is not", "?before=d-1&status=failed", 404, /there is no drain 'd-1'/),
      drains("a node that there is not", "?node=a&status=failed&since=60", 200, undefined),
      drains("the largest limit", "?limit=1000", 200, undefined),
    ],
  },
  "/overview": {
    allow: "GET, HEAD",
    rows: OVERVIEW(""),
  },
  "/overview/events": {
    allow: "GET, HEAD",
    rows: OVERVIEW("/events"),
  },
  "/": {
    allow: "GET, HEAD",
    rows: [row("the secret where none belongs", request(`GET /?pw=${encodeURIComponent(SECRET)}`), 200)],
  },
  "/assets/:asset": {
    allow: "GET, HEAD",
    rows: [
      row("a file that there is not", request("GET /assets/app.js"), 404, /the dashboard has no such file/),
      row("a file elsewhere", request("GET /assets/..%2f..%2fpackage.json"), 404, /the dashboard has no such file/),
    ],
  },
  "/drains/:drain": {
    allow: "GET, HEAD, DELETE",
    rows: [
      ...UNKNOWN_DRAINS(""),
      row("a cancel without a secret", request("DELETE /drains/d-1"), 401, /send the secret/),
      row("a cancel with a wrong secret", request("DELETE /drains/d-1?pw=wrong"), 403, /^the secret is wrong$/),
      row(
        "a cancel with a parameter that there is not",
        request("DELETE /drains/d-1?force=true", { headers: [BEARER] }),
        400,
        /unknown 'force' in the query/,
      ),
      row(
        "a cancel where it is not enabled",
        request("DELETE /drains/d-1", { headers: [BEARER] }),
        409,
        /cancelling is not enabled: set UNDO=true for the service/,
      ),
    ],
  },
  "/nodes/:node/drains": {
    allow: "DELETE",
    rows: [
      row("a node's drains without a secret", request(`DELETE /nodes/${ID}/drains`), 401, /send the secret/),
      row("a malformed node", request("DELETE /nodes/i-abc/drains", { headers: [BEARER] }), 400, /not an instance id/),
      row(
        "a parameter that there is not",
        request(`DELETE /nodes/${ID}/drains?force=true`, { headers: [BEARER] }),
        400,
        /unknown 'force' in the query: it takes uncordon and pw/,
      ),
      row(
        "an uncordon that is neither true nor false",
        request(`DELETE /nodes/${ID}/drains?uncordon=yes`, { headers: [BEARER] }),
        400,
        /'uncordon' in the query: give true or false/,
      ),
      row(
        "an undo where it is not enabled",
        request(`DELETE /nodes/${ID}/drains?uncordon=true`, { headers: [BEARER] }),
        409,
        /cancelling is not enabled: set UNDO=true for the service/,
      ),
    ],
  },
  "/nodes/:node/connections": {
    allow: "POST",
    rows: [
      row("connections without a secret", request(`POST /nodes/${ID}/connections`), 401, /send the secret/),
      connections("no body", "", 400, /the body is not JSON: send an object such as/),
      connections("text", "connections: 0", 400, /the body is not JSON/),
      connections("a list", "[]", 400, /the body must be a JSON object/),
      connections("nothing", "{}", 400, /'tables' in the body: give some of sockets.*'ports' in the body/),
      connections(
        "a table that there is not",
        '{"tables":["arp"],"ports":[]}',
        400,
        /give some of sockets and conntrack/,
      ),
      connections("a table twice", '{"tables":["sockets","sockets"],"ports":[]}', 400, /'sockets' is given twice/),
      connections("a port that is none", counted('"port":0,"open":0,"seen":true'), 400, /from 1 to 65535/),
      connections("half a port", counted('"port":80.5,"open":0,"seen":true'), 400, /from 1 to 65535/),
      connections(
        "an address that is none",
        counted('"port":80,"address":"x","open":0,"seen":true'),
        400,
        /IP address/,
      ),
      connections("fewer than none", counted('"port":80,"open":-1,"seen":true'), 400, /'ports.0.open' in the body/),
      connections("more than there can be", counted('"port":80,"open":1e99,"seen":true'), 400, /'ports.0.open'/),
      connections("a guess", counted('"port":80,"open":0,"seen":"perhaps"'), 400, /give true or false/),
      connections("an unknown field", '{"tables":[],"ports":[],"farce":1}', 400, /unknown 'farce' in the body/),
      connections("a turn without end", `{"turn":"${"x".repeat(65)}","tables":[],"ports":[]}`, 400, /at most 64 char/),
      connections("a body without end", `{"turn":"${"x".repeat(17_000)}"}`, 413, /larger than 16384 bytes/),
      connections("holds that do not end early", '{"tables":[],"ports":[]}', 409, /set EARLY_RELEASE for the service/),
      row(
        "another node's name",
        request("POST /nodes/node-1/connections", { headers: [BEARER], body: '{"tables":[],"ports":[]}' }),
        400,
        /the path names no instance: give the id of an EC2 instance/,
      ),
    ],
  },
  "/drains/:drain/events": {
    allow: "GET, HEAD",
    rows: [
      ...UNKNOWN_DRAINS("/events"),
      ...["-1", "one", "1.5", "9".repeat(20)].map((id) =>
        drains(`${id} as Last-Event-ID`, "/d-1/events", 400, /^Last-Event-ID: give the id/, [`Last-Event-ID: ${id}`]),
      ),
      drains("an empty Last-Event-ID", "/d-1/events", 404, /there is no drain 'd-1'/, ["Last-Event-ID:"]),
    ],
  },
  "/doctor": {
    allow: "GET, HEAD",
    rows: [
      row("no secret", request("GET /doctor"), 401, /send the secret/),
      row("a wrong secret", request("GET /doctor?pw=wrong"), 403, /^the secret is wrong$/),
      row(
        "a parameter that it does not take",
        request("GET /doctor?fresh=true", { headers: [BEARER] }),
        400,
        /unknown 'fresh' in the query/,
      ),
    ],
  },
  "/nodes": {
    allow: "GET, HEAD",
    rows: [
      row("no secret", request("GET /nodes?selector=a%3Db"), 401, /send the secret/),
      row("a wrong secret", request("GET /nodes?selector=a%3Db&pw=wrong"), 403, /^the secret is wrong$/),
      nodes("no selector", "", 400, /'selector' in the query: give labels such as node-group=blue/),
      nodes("an empty selector", "?selector=", 400, /give labels such as node-group=blue, and at most \d+ characters/),
      nodes("a blank selector", "?selector=%20", 400, /give labels such as node-group=blue/),
      nodes("a selector without end", `?selector=${"a".repeat(7_000)}`, 400, /give labels such as node-group=blue/),
      nodes("two selectors", "?selector=a&selector=b", 400, /'selector' is given twice in the query/),
      nodes("an unknown parameter", "?selector=a&farce=1", 400, /unknown 'farce' in the query/),
      nodes("a service without a cluster", "?selector=a%3Db", 400, /'selector' requires a cluster: set KUBERNETES for/),
    ],
  },
  "/nodes/:node": {
    allow: "GET, HEAD",
    rows: [
      row("no secret", request(`GET /nodes/${ID}`), 401, /send the secret/),
      row("a wrong secret", request(`GET /nodes/${ID}?pw=wrong`), 403, /^the secret is wrong$/),
      node("a malformed id", "i-abcdefg", 400, /'i-abcdefg' is not an instance id/),
      node("a malformed address", "10.0.1.999", 400, /is not an IP address/),
      node("half an escape", "%zz", 400, /%zz|malformed/),
      node("an escape sequence", "%1b%5b31m", 400, /'\?\[31m' is not a node name/),
      node("a NUL", "a%00b", 400, /'a\?b' is not a node name/),
      node("text that runs backwards", "a%e2%80%aeb", 400, /'a\?b' is not a node name/),
      node("a path", "..%2f..%2fdrain", 400, /is not a node name/),
      node("an unknown parameter", `${ID}?farce=1`, 400, /unknown 'farce' in the query/),
      node("a name without end", "a".repeat(8_000), 400, /'a{80}…' is not a node name/),
    ],
  },
};

/** What belongs to no endpoint. */
const NOWHERE: readonly Row[] = [
  row("an unknown path", request("GET /drain/all"), 404, /no such path: GET \/openapi\.json lists/),
  row("two slashes", request("POST //drain", { headers: [BEARER] }), 404, /no such path/),
  row("another host in the path", request("POST //evil.example/drain", { headers: [BEARER] }), 404, /no such path/),
  row("a path with parameters", request("POST /drain;id=x", { headers: [BEARER] }), 404, /no such path/),
  row("half an escape in the path", request("POST /%zz", { headers: [BEARER] }), 404, /no such path/),
  row("an escape sequence in the path", request("POST /%1b%5b31m", { headers: [BEARER] }), 404, /^[ -~]+$/),
  row("a backslash in the path", request("POST /\\drain", { headers: [BEARER] }), 400, /path or the Host header/),
  row("a NUL in the path", request("POST /dr\0ain", { headers: [BEARER] }), 400, /malformed/),
  row("a path in UTF-8", request("POST /dräin", { headers: [BEARER] }), 400, /malformed/),
  row("no path at all", request("OPTIONS *"), 400, /path or the Host header is malformed/),
  row("a tunnel", head("CONNECT service:80 HTTP/1.1", "Host: service:80"), "closed"),
  row("an unknown method", request("BREW /drain"), 400, /not HTTP\/1\.1, or is malformed/),
  row("a method in the wrong case", request("post /drain"), 400, /malformed/),
  row(
    "a malformed host",
    head("GET /health HTTP/1.1", "Host: a b<>", "Connection: close"),
    400,
    /path or the Host header is malformed/,
  ),
  row("no host", head("GET /health HTTP/1.1", "Connection: close"), 400, /send one Host header/),
  row("two hosts", request("GET /health", { headers: ["Host: another"] }), 400, /send one Host header/),
  row("a URL of 100 kB", request(`GET /${"x".repeat(100_000)}`), 431, /the URL and the headers are larger than 16 KiB/),
  row("a header of 20 kB", head("GET /health HTTP/1.1", `X: ${"x".repeat(20_000)}`), 431, /larger than 16 KiB/),
  row("a folded header", head("GET /health HTTP/1.1", "Connection: close", "Host: h", " folded: yes"), 400),
  row("bytes that are no HTTP", "hello\r\n\r\n", 400, /the request is not HTTP\/1\.1/),
  row("TLS", Buffer.from("16030100a5010000a10303", "hex"), 400, /the request is not HTTP\/1\.1/),
  row("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, /the request is not HTTP\/1\.1/),
  row("nothing", "", "open"),
  row("empty lines", "\r\n\r\n\r\n", "open"),
  row("half a request", "POST /drain HTTP/1.1\r\nHost:", "open"),
];

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"];

/** What every endpoint refuses. */
function refusedMethods(path: string, allow: string): readonly Row[] {
  return METHODS.filter((method) => !allow.split(", ").includes(method)).map((method) =>
    // An answer to HEAD has no body.
    row(
      method,
      request(`${method} ${path}`),
      405,
      method === "HEAD" ? undefined : new RegExp(`takes ${allow}, not ${method}`),
    ),
  );
}

function misspelt(path: string): readonly Row[] {
  return [
    // The root has no letters.
    ...(path === "/"
      ? []
      : [row("the path in the wrong case", request(`GET ${path.toUpperCase()}`), 404, /no such path/)]),
    row("the path with a slash at its end", request(`GET ${path}/`), 404, /no such path/),
    row("the path with something behind", request(`GET ${path}${path}${path}`), 404, /no such path/),
  ];
}

/** The service before an account, and every call to AWS that a request has led to. */
async function service() {
  const calls: string[] = [];
  const { env } = await account(({ action, params }) => {
    // The service also checks its access, in the background; without an index only requests look for a node.
    if (action.startsWith("Deregister") || params.has("Filter.1.Name")) calls.push(action);
    return undefined;
  });
  const { child, url } = await serveHere({ ...env, SECRET, INDEX_RATE: "0" });
  return { child, url, port: Number(new URL(url).port), calls };
}

function expectProblem({ status, headers, body }: RawAnswer, what: string, says: RegExp): void {
  expect.soft(headers["content-type"], what).toBe("application/problem+json");
  const problem = body.startsWith("{") ? JSON.parse(body) : { detail: body };
  expect.soft(problem, what).toMatchObject({ type: "about:blank", title: expect.any(String), status });
  expect.soft(problem.detail, what).toMatch(says);
  expect.soft(problem.detail, what).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
}

/** Beyond these the service answers otherwise: a test of its own has that. */
const WRONG_SECRETS_MAX = 10;

/** Sends every row, and starts another service only where one has been sent as many wrong secrets as it takes. */
async function sweep(rows: readonly Row[]): Promise<void> {
  const parts: Row[][] = [[]];
  for (const each of rows) {
    const wrong = parts.at(-1)?.filter(({ answer }) => answer === 403).length ?? 0;
    if (each.answer === 403 && wrong === WRONG_SECRETS_MAX) parts.push([]);
    parts.at(-1)?.push(each);
  }
  for (const part of parts) await sweepOne(part);
}

/** Sends every row to one service, which must answer a good request after each, and leak and lose nothing. */
async function sweepOne(rows: readonly Row[]): Promise<void> {
  const { child, url, port, calls } = await service();
  for (const { what, bytes, answer, says } of rows) {
    const connection = await sendRaw(port, bytes);
    if (answer !== "open") {
      const given = await connection.closed;
      expect.soft(given.status ?? "closed", what).toBe(answer);
      expect.soft(given.text, what).not.toContain(SECRET);
      if (says !== undefined) expectProblem(given, what, says);
    }
    expect.soft((await fetch(`${url}/health`)).status, `GET /health after ${what}`).toBe(200);
    if (answer === "open") expect.soft(connection.received(), what).toBe("");
    connection.leave();
  }
  expect(calls).toEqual([]);
  for (const [path, { allow }] of Object.entries(ENDPOINTS)) {
    const refused = await fetch(url + realPath(path), { method: "PUT" });
    expect.soft(refused.headers.get("allow"), path).toBe(allow);
  }
  const query = `?id=${ID}&pw=${encodeURIComponent(SECRET)}&dryRun=true`;
  expect((await fetch(`${url}/drain${query}`, { method: "POST" })).status).toBe(200);
  child.signal("SIGTERM");
  const { code, stdout, stderr } = await child.finished;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).not.toContain(SECRET);
  expect(stdout).not.toContain('"level":"error"');
}

const realPath = (path: string) => path.replace(":node", ID).replace(":drain", "d-0123456789");

/** The rows of every endpoint, each with the endpoint in its name: none changes anything, so one service takes them. */
const rowsOfAll = (rowsOf: (path: string) => readonly Row[]): readonly Row[] =>
  Object.keys(ENDPOINTS).flatMap((path) => rowsOf(path).map((each) => ({ ...each, what: `${path}: ${each.what}` })));

test("every endpoint is swept", () => {
  const { app } = webApp();
  const routes = app.routes.map(({ path }) => path).filter((path) => path !== "/*");
  expect(routes).toContain("/drain");
  expect(Object.keys(ENDPOINTS).sort()).toEqual([...new Set(routes)].sort());
});

test("every endpoint answers whatever is wrong with what is wrong, and goes on", () =>
  sweep(rowsOfAll((path) => ENDPOINTS[path]?.rows ?? [])));

test("every endpoint says which method it takes, and is nowhere else", () =>
  sweep(
    rowsOfAll((path) => {
      const real = realPath(path);
      return [...refusedMethods(real, ENDPOINTS[path]?.allow ?? ""), ...misspelt(real)];
    }),
  ));

test("what is for no endpoint, or no HTTP at all, is answered, and the service goes on", () => sweep(NOWHERE));
