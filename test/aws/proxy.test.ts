import { createServer, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { DescribeInstancesCommand } from "@aws-sdk/client-ec2";
import { describe, expect, onTestFinished, test } from "vitest";
import { openEngine } from "../../src/app/places.ts";
import { createAwsClients } from "../../src/aws/clients.ts";
import { toDrainError } from "../../src/aws/errors.ts";
import { createAutoScalingClient, createSqsClient } from "../../src/aws/event-clients.ts";
import { isExcepted } from "../../src/aws/proxy.ts";
import { awsClientOptions, readConfig } from "../../src/config/config.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { FastClock } from "../support/fast-clock.ts";
import { never } from "../support/simulated-region.ts";

const CREDENTIALS = { accessKeyId: "x", secretAccessKey: "y" };

/** A proxy on loopback that notes what it is asked to connect to, and answers so. */
async function proxyThat(status: number) {
  const asked: { readonly to: string | undefined; readonly authorization: string | undefined }[] = [];
  const server = createServer();
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => void sockets.add(socket));
  server.on("connect", (request: IncomingMessage, socket: Socket) => {
    asked.push({ to: request.url, authorization: request.headers["proxy-authorization"] });
    socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { readonly port: number };
  return { asked, url: `http://127.0.0.1:${port}`, port };
}

const optionsFor = (environment: Readonly<Record<string, string>>) => ({
  ...awsClientOptions(readConfig({ verb: "plan", environment: { AWS_REGION: "eu-west-1", ...environment } })),
  credentials: CREDENTIALS,
});

describe("HTTPS_PROXY", () => {
  test("is the way of every client to AWS, with its user and password, which no error shows", async () => {
    const { asked, port } = await proxyThat(407);
    const options = optionsFor({ HTTPS_PROXY: `http://me:p%40ss@127.0.0.1:${port}` });
    const { ec2, v2, classic } = createAwsClients(options);
    const sqs = createSqsClient(options, { name: "q" });
    const calls = [ec2, v2, classic, sqs, createAutoScalingClient(options)].map(async (client) => {
      const send = client.send.bind(client) as (command: unknown) => Promise<unknown>;
      const error = await send(new DescribeInstancesCommand({})).catch((thrown: unknown) => thrown);
      return toDrainError(error, "ec2:DescribeInstances");
    });
    for (const error of await Promise.all(calls)) {
      expect(error.code).toBe("unreachable");
      expect(error.message).toBe(
        "could not reach AWS through the proxy for ec2:DescribeInstances (Bad response: 407): check HTTPS_PROXY and NO_PROXY",
      );
    }
    const authorization = `Basic ${Buffer.from("me:p@ss").toString("base64")}`;
    const hosts = ["ec2", "elasticloadbalancing", "elasticloadbalancing", "sqs", "autoscaling"];
    expect(asked.map(({ to }) => to).sort()).toEqual(hosts.map((host) => `${host}.eu-west-1.amazonaws.com:443`).sort());
    expect(new Set(asked.map((one) => one.authorization))).toEqual(new Set([authorization]));
  });

  test("is the way to the credentials of a role, and to what it is assumed for", async () => {
    const { asked, url } = await proxyThat(407);
    const AWS_PLACES = "Region=eu-west-1 Region=us-east-1,RoleArn=arn:aws:iam::444455556666:role/drainer";
    const environment = { AWS_REGION: "eu-west-1", AWS_PLACES, HTTPS_PROXY: url };
    const clock = new FastClock(new ScaledClock(1_000));
    const engine = await openEngine(readConfig({ verb: "plan", environment }), {
      clock,
      aws: { credentials: CREDENTIALS },
    });
    const problems = await engine.checkAccess(never);
    expect(problems.map(({ error }) => error.message.split(" (")[0])).toEqual([
      "eu-west-1: could not reach AWS through the proxy for ec2:DescribeInstances",
      "444455556666/us-east-1: could not reach AWS through the proxy for sts:AssumeRole of arn:aws:iam::444455556666:role/drainer",
    ]);
    expect(new Set(asked.map(({ to }) => to))).toEqual(
      new Set(["ec2.eu-west-1.amazonaws.com:443", "sts.us-east-1.amazonaws.com:443"]),
    );
  });

  test("may be in lower case, and without a scheme", async () => {
    const { port } = await proxyThat(502);
    expect(optionsFor({ https_proxy: `127.0.0.1:${port}` }).proxy).toEqual({ url: `http://127.0.0.1:${port}/` });
  });

  test("is not asked for what NO_PROXY lists", async () => {
    const { asked, url } = await proxyThat(502);
    const closed = await new Promise<number>((resolve) => {
      const server = createServer().listen(0, "127.0.0.1", () => {
        const { port } = server.address() as { readonly port: number };
        server.close(() => resolve(port));
      });
    });
    const options = optionsFor({ HTTPS_PROXY: url, NO_PROXY: "127.0.0.1" });
    const { ec2 } = createAwsClients({ ...options, endpoint: `https://127.0.0.1:${closed}` });
    await expect(ec2.send(new DescribeInstancesCommand({}))).rejects.toMatchObject({ code: "ECONNREFUSED" });
    expect(asked).toEqual([]);
  });

  test("that does not answer is told of as such", async () => {
    const options = optionsFor({ HTTPS_PROXY: "http://127.0.0.1:1" });
    const { ec2 } = createAwsClients(options);
    const error = await ec2.send(new DescribeInstancesCommand({})).catch((thrown: unknown) => thrown);
    expect(toDrainError(error, "ec2:DescribeInstances").message).toMatch(/^could not reach AWS through the proxy/);
  });
});

describe("NO_PROXY", () => {
  test.each([
    ["ec2.eu-west-1.amazonaws.com", "amazonaws.com", true],
    ["ec2.eu-west-1.amazonaws.com", ".amazonaws.com", true],
    ["ec2.eu-west-1.amazonaws.com", "*.amazonaws.com", true],
    ["ec2.eu-west-1.amazonaws.com", "ec2.eu-west-1.amazonaws.com:443", true],
    ["ec2.eu-west-1.amazonaws.com", "ec2.eu-west-1.amazonaws.com:8443", false],
    ["EC2.eu-west-1.amazonaws.com", " localhost, AMAZONAWS.COM ", true],
    ["ec2.eu-west-1.amazonaws.com", "*", true],
    ["notamazonaws.com", "amazonaws.com", false],
    ["ec2.eu-west-1.amazonaws.com", "", false],
    ["ec2.eu-west-1.amazonaws.com", ",,.", false],
    ["10.0.0.1", "10.0.0.1", true],
    ["[fd00:ec2::254]", "fd00:ec2::254", true],
    ["[fd00:ec2::254]", "[fd00:ec2::254]:443", true],
  ])("%s, with %j: %s", (host, except, excepted) => {
    expect(isExcepted(host, 443, except)).toBe(excepted);
  });
});
