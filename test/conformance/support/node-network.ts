import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { ConnectionCounter } from "../../../src/connections/connection-counter.ts";

/**
 * A program for a network namespace of its own, which is the node's: a load balancer and a pod are in others. Connections lead from the load
 * balancer to a process of the node, to a pod by a NodePort as kube-proxy's nftables mode makes it, and to the pod's address.
 * Prints what the agent would count before, while they are open, and after.
 */
const [nft = ""] = process.argv.slice(2);
const NODE = "10.0.1.5";
const POD = "10.244.0.7";
const PORTS = [{ port: 9_090 }, { port: 30_080 }, { port: 8_080, address: POD }, { port: 31_000 }];
const RULES = `table ip nat { chain prerouting { type nat hook prerouting priority -100; fib daddr type local tcp dport 30080 dnat to ${POD}:8080; }; }`;
const SERVER = (port: number) =>
  `require("node:net").createServer((s) => s.on("error", () => {}).on("end", () => s.end()).resume()).listen(${port}, () => console.log("up"))`;
const CLIENT = `
const { connect } = require("node:net");
const open = [["${NODE}", 9090], ["${NODE}", 30080], ["${POD}", 8080]].map(([host, port]) => connect(port, host));
Promise.all(open.map((s) => new Promise((r, j) => s.once("connect", r).once("error", j)))).then(() => console.log("up"));
process.stdin.once("end", () => open.forEach((s) => s.end())).resume();
`;

const ip = (...args: readonly string[]) => execFileSync("ip", args);
const within = (of: ChildProcess, ...args: readonly string[]) => ["-t", String(of.pid), "-n", ...args];
const children: ChildProcess[] = [];

/** Runs a program until it says that it is ready. */
async function start(program: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  await once(child.stdout as NodeJS.ReadableStream, "data");
  return child;
}

/** A namespace with one end of a cable to the node. */
async function neighbour(name: string, address: string, gateway: string): Promise<ChildProcess> {
  const namespace = await start("unshare", ["-n", "sh", "-c", "echo up; exec cat"]);
  ip("link", "add", "name", name, "type", "veth", "peer", "name", "eth0", "netns", String(namespace.pid));
  ip("addr", "add", `${gateway}/24`, "dev", name);
  ip("link", "set", name, "up");
  const set = `ip link set lo up; ip addr add ${address}/24 dev eth0; ip link set eth0 up; ip route add default via ${gateway}`;
  execFileSync("nsenter", within(namespace, "sh", "-c", set));
  return namespace;
}

const counter = new ConnectionCounter({
  folder: "/proc/net",
  primaryAddress: NODE,
  ownAddresses: () => ["127.0.0.1", NODE, "10.244.0.1"],
  now: () => performance.now(),
});
const print = async (when: string) => console.log(JSON.stringify({ when, ...(await counter.count(PORTS)) }));

try {
  ip("link", "set", "lo", "up");
  const loadBalancer = await neighbour("alb0", "10.0.1.200", NODE);
  const pod = await neighbour("pod0", POD, "10.244.0.1");
  execFileSync("sh", ["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
  execFileSync(nft, ["-f", "-"], { input: RULES });
  await start(process.execPath, ["-e", SERVER(9_090)]);
  await start("nsenter", within(pod, process.execPath, "-e", SERVER(8_080)));
  await print("before");
  const client = await start("nsenter", within(loadBalancer, process.execPath, "-e", CLIENT));
  await print("open");
  client.stdin?.end();
  await once(client, "exit");
  // The last packets may still be under way.
  for (let tries = 0; tries < 100 && (await counter.count(PORTS)).ports.some(({ open }) => open > 0); tries++)
    await sleep(50);
  await print("closed");
} finally {
  for (const child of children) child.kill("SIGKILL");
}
