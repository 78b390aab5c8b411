import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { comparable } from "../../src/connections/connection.ts";
import { ConnectionCounter, type ConnectionCounterOptions } from "../../src/connections/connection-counter.ts";
import type { CountedPort } from "../../src/drain/early-release.ts";
import { listen } from "../../src/simulator/listen.ts";

const HEADER =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n";
/** Written by Linux 6.18: a process listens on port 9090, and 10.0.1.200 is connected to it at 10.0.1.5. */
const LISTENER =
  "   0: 00000000:2382 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 6288195 1 0000000050a70d6f 100 0 0 10 0                   \n";
const socket = (state: string, peer = "C801000A") =>
  `   1: 0501000A:2382 ${peer}:E96A ${state} 00000000:00000000 00:00000000 00000000     0        0 6288229 1 00000000401072ec 20 0 0 10 -1                   \n`;
/** The same of IPv6: the first is an IPv4 address in IPv6 notation. */
const MAPPED =
  "   2: 0000000000000000FFFF00000501000A:2382 0000000000000000FFFF0000C801000A:E96B 01 00000000:00000000 00:00000000 00000000     0        0 6288230 1 00000000401072ec 20 0 0 10 -1\n";
const SIX = "   3: B80D0120000000000000000007000000:2382 B80D0120000000000000000009000000:E96B 01 0\n";
/** Written by Linux 6.18, where a NodePort leads to the pod 10.244.0.7:8080. */
const nodePort = (state: string) =>
  `ipv4     2 tcp      6 431998 ${state} src=10.0.1.200 dst=10.0.1.5 sport=53292 dport=30080 src=10.244.0.7 dst=10.0.1.200 sport=8080 dport=53292 [ASSURED] mark=0 zone=0 use=2\n`;
const POD =
  "ipv4     2 tcp      6 431998 ESTABLISHED src=10.0.1.200 dst=10.244.0.7 sport=33134 dport=8080 src=10.244.0.7 dst=10.0.1.200 sport=8080 dport=33134 [ASSURED] mark=0 zone=0 use=2\n";
const OTHERS =
  "ipv4     2 udp      17 29 src=10.0.1.5 dst=10.0.0.2 sport=30080 dport=53 src=10.0.0.2 dst=10.0.1.5 sport=53 dport=30080 mark=0 use=1\n" +
  "ipv4     2 icmp     1 29 src=10.0.1.5 dst=10.0.0.2 type=8 code=0 id=1 src=10.0.0.2 dst=10.0.1.5 type=0 code=0 id=1 mark=0 use=1\n" +
  "unknown  2 gre      47 179 src=10.0.1.5 dst=10.0.0.2 src=10.0.0.2 dst=10.0.1.5 use=1\n";

interface Tables {
  readonly tcp?: string;
  readonly tcp6?: string;
  readonly nf_conntrack?: string;
}

async function folder(tables: Tables): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "tables-"));
  onTestFinished(() => rm(path, { recursive: true }));
  const written = { tcp: HEADER, ...tables };
  for (const [name, text] of Object.entries(written)) await writeFile(join(path, name), text);
  return path;
}

async function count(tables: Tables, port: CountedPort, options: Partial<ConnectionCounterOptions> = {}) {
  const counter = new ConnectionCounter({
    folder: await folder(tables),
    primaryAddress: "10.0.1.5",
    ownAddresses: () => ["127.0.0.1", "10.0.1.5"],
    now: () => 0,
    ...options,
  });
  const counted = await counter.count([port]);
  const [first] = counted.ports;
  return { ...first, tables: counted.tables };
}

describe("a connection to a port", () => {
  test("of a process of the node is counted among the sockets", async () => {
    const tcp = HEADER + LISTENER + socket("01");
    expect(await count({ tcp }, { port: 9090 })).toEqual({ port: 9090, open: 1, seen: true, tables: ["sockets"] });
    expect(await count({ tcp }, { port: 9091 })).toMatchObject({ open: 0, seen: false });
  });

  test.each([
    ["01", 1],
    ["03", 1],
    ["05", 1],
    ["06", 0],
    ["07", 0],
    ["08", 1],
    ["09", 1],
  ])("in the state %s counts for %i", async (state, open) => {
    expect(await count({ tcp: HEADER + LISTENER + socket(state) }, { port: 9090 })).toMatchObject({ open, seen: true });
  });

  test("that no process listens on is one that the node has made itself, and no sign of traffic", async () => {
    expect(await count({ tcp: HEADER + socket("01") }, { port: 9090 })).toMatchObject({ open: 1, seen: false });
  });

  test("from the node itself is no sign of the load balancer's traffic", async () => {
    const tcp = HEADER + LISTENER + socket("01", "0100007F");
    expect(await count({ tcp }, { port: 9090 })).toMatchObject({ open: 1, seen: false });
  });

  test("over IPv6 is counted, and an IPv4 address in its notation is the IPv4 address", async () => {
    const tables = { tcp: HEADER + LISTENER, tcp6: HEADER + MAPPED };
    expect(await count(tables, { port: 9090 })).toMatchObject({ open: 1, seen: true });
    expect(await count({ tcp6: HEADER + SIX }, { port: 9090, address: "2001:db8::7" })).toMatchObject({ open: 1 });
  });

  test("that the node passes on to a pod is in conntrack's table alone", async () => {
    const tables = { nf_conntrack: OTHERS + nodePort("ESTABLISHED") };
    const both = ["sockets", "conntrack"];
    expect(await count(tables, { port: 30080 })).toEqual({ port: 30080, open: 1, seen: true, tables: both });
    expect(await count({ nf_conntrack: nodePort("TIME_WAIT") }, { port: 30080 })).toMatchObject({
      open: 0,
      seen: true,
    });
    expect(await count({ nf_conntrack: nodePort("CLOSE") }, { port: 30080 })).toMatchObject({ open: 0, seen: true });
    expect(await count({ nf_conntrack: nodePort("CLOSE_WAIT") }, { port: 30080 })).toMatchObject({ open: 1 });
    expect(await count({ nf_conntrack: nodePort("SYN_SENT") }, { port: 30080 })).toMatchObject({ open: 1 });
    expect(await count({}, { port: 30080 })).toMatchObject({ open: 0, seen: false, tables: ["sockets"] });
  });

  test("that is offloaded has no state, and is open", async () => {
    const nf_conntrack = nodePort("ESTABLISHED").replace("431998 ESTABLISHED ", "").replace("ASSURED", "OFFLOAD");
    expect(await count({ nf_conntrack }, { port: 30080 })).toMatchObject({ open: 1, seen: true });
  });

  test("to the address of a pod is counted where that is the target", async () => {
    const target = { port: 8080, address: "10.244.0.7" };
    expect(await count({ nf_conntrack: POD }, target)).toMatchObject({ open: 1, seen: true, ...target });
    expect(await count({ nf_conntrack: POD }, { port: 8080 })).toMatchObject({ open: 0, seen: false });
  });

  test("that conntrack has lost and found again by a packet of the node is open, and no sign of traffic", async () => {
    const nf_conntrack =
      "ipv4     2 tcp      6 299 ESTABLISHED src=10.244.0.7 dst=10.0.1.200 sport=8080 dport=33134 src=10.0.1.200 dst=10.244.0.7 sport=33134 dport=8080 mark=0 use=1\n";
    const counted = await count({ nf_conntrack }, { port: 8080, address: "10.244.0.7" });
    expect(counted).toMatchObject({ open: 1, seen: false });
  });

  test("made by a pod of the node to the same port elsewhere is another matter", async () => {
    const nf_conntrack = nodePort("ESTABLISHED").replace("dst=10.0.1.5", "dst=10.9.9.9");
    expect(await count({ nf_conntrack }, { port: 30080 })).toMatchObject({ open: 0, seen: false });
  });
});

describe("nothing is counted where a table", () => {
  const good = { tcp: HEADER + LISTENER + socket("01"), nf_conntrack: nodePort("ESTABLISHED") };
  test.each<readonly [string, Tables, RegExp]>([
    ["has no header", { tcp: LISTENER }, /tcp can't be used: it has no header$/],
    ["has a malformed line", { tcp: `${HEADER}   0: nonsense\n` }, /tcp can't be used: a line is not as the kernel/],
    ["has a state that does not exist", { tcp: HEADER + socket("FF") }, /a line is not as the kernel/],
    ["is cut off", { tcp: (HEADER + LISTENER).slice(0, -20) }, /tcp can't be used: it is cut off$/],
    [
      "of conntrack is malformed",
      { ...good, nf_conntrack: `${nodePort("X")}ipv4     2 tcp      6 lost\n` },
      /nf_conntrack/,
    ],
    ["of conntrack is cut off", { ...good, nf_conntrack: nodePort("ESTABLISHED").slice(0, 90) }, /it is cut off$/],
    ["has addresses that are none", { ...good, nf_conntrack: POD.replace("10.0.1.200", "10.0.1") }, /no addresses$/],
    ["has an endless line", { ...good, nf_conntrack: "x".repeat(200_000) }, /a line is not as the kernel/],
    ["is binary", { ...good, nf_conntrack: "\0\u{1f4a9}\n" }, /a line is not as the kernel/],
    ["has no end", { ...good, nf_conntrack: OTHERS.repeat(100_001) }, /it has more than 300000 lines$/],
  ])("%s", async (_, tables, message) => {
    await expect(count(tables, { port: 30080 })).rejects.toThrow(message);
  });

  test("is missing that every Linux has", async () => {
    const options = { folder: "/nowhere", primaryAddress: "10.0.1.5", ownAddresses: () => [], now: () => 0 };
    await expect(new ConnectionCounter(options).count([{ port: 80 }])).rejects.toThrow(
      "/nowhere/tcp can't be read (ENOENT)",
    );
  });

  test("takes too long to read", async () => {
    let now = 0;
    const nf_conntrack = nodePort("ESTABLISHED").repeat(10_000);
    const slow = count({ nf_conntrack }, { port: 30080 }, { now: () => (now += 100) });
    await expect(slow).rejects.toThrow("nf_conntrack can't be used: it takes too long to read");
  });
});

test("a table of 200,000 connections is read piece by piece", async () => {
  const other = nodePort("ESTABLISHED").replace("dport=30080", "dport=443");
  const nf_conntrack = other.repeat(199_999) + nodePort("ESTABLISHED");
  const counter = new ConnectionCounter({
    folder: await folder({ nf_conntrack }),
    primaryAddress: "10.0.1.5",
    ownAddresses: () => [],
    now: () => 0,
  });
  let [turns, running] = [0, true];
  const counting = (async () => {
    while (running) {
      turns += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const counted = await counter.count([{ port: 30080 }]);
  running = false;
  await counting;
  expect(counted.ports).toEqual([{ port: 30080, open: 1, seen: true }]);
  // Other work has had its turn after each piece of 64 KiB.
  expect(turns).toBeGreaterThan(nf_conntrack.length / 65_536);
});

test("a hundred ports are counted at once, each by itself", async () => {
  const counter = new ConnectionCounter({
    folder: await folder({ nf_conntrack: nodePort("ESTABLISHED") + POD }),
    primaryAddress: "10.0.1.5",
    ownAddresses: () => [],
    now: () => 0,
  });
  const ports = Array.from({ length: 100 }, (_, number) => ({ port: 30_000 + number }));
  const { ports: counted } = await counter.count([...ports, { port: 30080 }, { port: 8080, address: "10.244.0.7" }]);
  expect(counted.filter(({ open }) => open > 0)).toEqual([
    { port: 30080, open: 1, seen: true },
    { port: 30080, open: 1, seen: true },
    { port: 8080, address: "10.244.0.7", open: 1, seen: true },
  ]);
});

test("the kernel's own tables show the connections of a server, until they are closed", async () => {
  const server: Server = createServer();
  const url = await listen(server as never);
  onTestFinished(() => void server.close());
  const port = Number(new URL(url).port);
  const counter = new ConnectionCounter({
    folder: "/proc/net",
    primaryAddress: "127.0.0.1",
    ownAddresses: () => [],
    now: () => 0,
  });
  const open = async () => (await counter.count([{ port }])).ports[0];
  expect(await open()).toMatchObject({ open: 0, seen: false });
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const client = connect(port, "127.0.0.1");
  const served = await accepted;
  expect(await open()).toMatchObject({ seen: true });
  expect((await open())?.open).toBeGreaterThan(0);
  const closed = new Promise((resolve) => client.once("close", resolve));
  served.end();
  client.end();
  await closed;
  await expect.poll(async () => (await open())?.open, { timeout: 30_000 }).toBe(0);
});

test.each([
  ["10.0.1.5", "10.0.1.5"],
  ["::1", "0000:0000:0000:0000:0000:0000:0000:0001"],
  ["::", "0000:0000:0000:0000:0000:0000:0000:0000"],
  ["2001:DB8::7", "2001:0db8:0000:0000:0000:0000:0000:0007"],
  ["2001:db8:0:0:0:0:0:7", "2001:0db8:0000:0000:0000:0000:0000:0007"],
  ["fe80::1%eth0", "fe80:0000:0000:0000:0000:0000:0000:0001"],
  ["::ffff:10.0.1.5", "10.0.1.5"],
  ["::ffff:a00:105", "10.0.1.5"],
  ["10.0.1", undefined],
  ["node-1", undefined],
])("the address %s is compared as %s", (address, compared) => {
  expect(comparable(address)).toBe(compared);
});
