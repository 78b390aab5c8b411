import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { DeregisterInstancesFromLoadBalancerCommand } from "@aws-sdk/client-elastic-load-balancing";
import { DeregisterTargetsCommand } from "@aws-sdk/client-elastic-load-balancing-v2";
import { expect, onTestFinished, test } from "vitest";
import { allowIdle, carry } from "../simulator/data-plane/carried.ts";
import { type Answer, Connection, hold, send, tally } from "../simulator/data-plane/clients.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";
import { Haproxy } from "./support/haproxy.ts";
import { describeWith } from "./support/programs.ts";

const CONNECTIONS = 8;
const REQUESTS = 20;
const IN_FLIGHT = 4;
/** Longer than any balancer needs to learn of a deregistration, shorter than the delay after it. */
const LEARNING_MS = 200_000;
const DELAY_SECONDS = 3_600;

/** A balancer before the servers `leaving` and `staying`. */
interface Subject {
  readonly url: string;
  readonly leaving: string;
  readonly staying: string;
  /** The server goes on, but answers nothing until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** Starts requests over new connections, and resolves when the frozen server has its share of them. */
  sendToBoth(count: number): Promise<readonly Promise<Answer>[]>;
  /** Takes `leaving` out. Resolves when every part of the balancer knows of it. */
  drain(): Promise<void>;
}

async function simulated(kind: "alb" | "nlb" | "classic"): Promise<Subject> {
  const region = new SimulatedRegion();
  const [leaving, staying] = [region.node(), region.node()];
  const nodes = [leaving, staying];
  const isClassic = kind === "classic";
  if (isClassic) region.classic({ name: "web", nodes, drainingSeconds: DELAY_SECONDS });
  const type = kind === "nlb" ? "network" : "application";
  const group = isClassic ? undefined : region.group({ name: "web", type, nodes, delaySeconds: DELAY_SECONDS });
  const carried = await carry(region.world);
  allowIdle(region.world, 4_000);
  const url = carried.plane.url(isClassic ? "web" : "web-lb");
  const { v2, classic } = region.clients();
  return {
    url,
    leaving: leaving.id,
    staying: staying.id,
    freeze: () => carried.freeze(leaving.id),
    thaw: () => carried.thaw(leaving.id),
    // The balancer asks for each of them as soon as it has chosen a server.
    sendToBoth: async (count) =>
      (await Promise.all(Array.from({ length: count }, () => hold(url)))).map((h) => h.answer),
    async drain() {
      const Instances = [{ InstanceId: leaving.id }];
      if (group === undefined) {
        await classic.send(new DeregisterInstancesFromLoadBalancerCommand({ LoadBalancerName: "web", Instances }));
      } else {
        const Targets = [{ Id: leaving.id }];
        await v2.send(new DeregisterTargetsCommand({ TargetGroupArn: group.arn, Targets }));
      }
      await region.clock.advance(LEARNING_MS);
    },
  };
}

async function ofHaproxy(mode: "http" | "tcp"): Promise<Subject> {
  const [leaving, staying] = await Promise.all(["leaving", "staying"].map(startServer));
  if (leaving === undefined || staying === undefined) throw new Error("no servers");
  const haproxy = await Haproxy.start(mode, [
    { name: "leaving", port: leaving.port },
    { name: "staying", port: staying.port },
  ]);
  return {
    url: haproxy.url,
    leaving: "leaving",
    staying: "staying",
    freeze: () => leaving.process.kill("SIGSTOP"),
    thaw: () => leaving.process.kill("SIGCONT"),
    async sendToBoth(count) {
      const answers = Array.from({ length: count }, () => send(haproxy.url));
      await haproxy.untilBusy("leaving", count / 2);
      return answers;
    },
    drain: () => haproxy.drain("leaving"),
  };
}

const SERVER = `
const server = require("node:http").createServer((request, response) => {
  request.resume();
  response.writeHead(200, { "x-served-by": process.argv[1] }).end();
});
server.keepAliveTimeout = 0;
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;

async function startServer(name: string): Promise<{ readonly port: number; readonly process: ChildProcess }> {
  const process = spawn(globalThis.process.execPath, ["-e", SERVER, name], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void process.kill("SIGKILL"));
  const [line] = await once(process.stdout, "data");
  return { port: Number(String(line)), process };
}

/** Takes one of two servers out under way, and says who answered what. */
async function takeOut(subject: Subject) {
  const { url, leaving, staying } = subject;
  const roles = new Map([
    [leaving, "the leaving one"],
    [staying, "the other one"],
  ]);
  const by = ({ status, servedBy = "" }: Answer) => (status === 200 ? roles.get(servedBy) : `${status}`);

  const connections = await Connection.openMany(url, CONNECTIONS);
  onTestFinished(() => {
    for (const connection of connections) connection.leave();
  });
  const keptAlive = connections.filter(({ servedBy }) => servedBy === leaving);
  subject.freeze();
  const inFlight = await subject.sendToBoth(IN_FLIGHT);
  await subject.drain();
  const afterwards = await tally(url, REQUESTS);
  subject.thaw();
  return {
    inFlight: counted((await Promise.all(inFlight)).map(by)),
    newConnections: Object.fromEntries(Object.entries(afterwards).map(([name, count]) => [roles.get(name), count])),
    hadKeptAlive: keptAlive.length > 0,
    keptAlive: [...new Set((await Promise.all(keptAlive.map((connection) => connection.send()))).map(by))],
  };
}

/** As `takeOut`, where a connection belongs to its server for as long as it lasts. */
async function takeOutFlows(subject: Subject) {
  const { url, leaving, staying } = subject;
  const connections = await Connection.openMany(url, 2 * CONNECTIONS);
  onTestFinished(() => {
    for (const connection of connections) connection.leave();
  });
  const flows = connections.filter(({ servedBy }) => servedBy === leaving);
  subject.freeze();
  const inFlight = flows.slice(1).map((flow) => flow.send());
  await subject.drain();
  const afterwards = await tally(url, REQUESTS);
  subject.thaw();
  const answers = [...(await Promise.all(inFlight)), await flows[0]?.send()];
  return {
    hadFlows: flows.length > 1,
    toTheOther: afterwards[staying],
    onOpenFlows: [...new Set(answers.map((answer) => answer?.servedBy === leaving && answer.status === 200))],
  };
}

function counted(names: readonly (string | undefined)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name ?? ""] = (counts[name ?? ""] ?? 0) + 1;
  return counts;
}

describeWith("haproxy", "A server that haproxy drains, and one that is deregistered in the simulator", () => {
  test.each([
    ["haproxy for HTTP", () => ofHaproxy("http")],
    ["a simulated ALB", () => simulated("alb")],
    ["a simulated classic load balancer", () => simulated("classic")],
  ])("%s: requests in flight end well, later ones go elsewhere, on open connections too", async (_, start) => {
    expect(await takeOut(await start())).toEqual({
      inFlight: { "the leaving one": IN_FLIGHT / 2, "the other one": IN_FLIGHT / 2 },
      newConnections: { "the other one": REQUESTS },
      hadKeptAlive: true,
      keptAlive: ["the other one"],
    });
  });

  test.each([
    ["haproxy for TCP", () => ofHaproxy("tcp")],
    ["a simulated NLB", () => simulated("nlb")],
  ])("%s: open connections stay where they are, requests and all, and new ones go elsewhere", async (_, start) => {
    expect(await takeOutFlows(await start())).toEqual({ hadFlows: true, toTheOther: REQUESTS, onOpenFlows: [true] });
  });
});
