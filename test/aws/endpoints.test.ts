import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { DescribeInstancesCommand } from "@aws-sdk/client-ec2";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { openEngine } from "../../src/app/places.ts";
import { createAwsClients } from "../../src/aws/clients.ts";
import { createAutoScalingClient, createSqsClient } from "../../src/aws/event-clients.ts";
import { queueAddress } from "../../src/aws/queue-address.ts";
import { awsClientOptions, readConfig } from "../../src/config/config.ts";
import { never } from "../support/simulated-region.ts";

interface SentRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

// What this machine knows of AWS is no part of any of these tests.
beforeEach(() => {
  const known = Object.keys(process.env).filter((name) => name.startsWith("AWS_") && !name.startsWith("AWS_SDK_JS_"));
  for (const name of known) vi.stubEnv(name, undefined);
  vi.stubEnv("AWS_CONFIG_FILE", "/nonexistent/file");
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/file");
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** Carries no request further. STS hands out credentials, every other service refuses. */
function recording() {
  const sent: SentRequest[] = [];
  const handle = async (request: SentRequest) => {
    sent.push(request);
    const isSts = /(^|\.)sts[.-]/.test(request.hostname);
    const body = isSts
      ? assumed(String(request.body))
      : "<Response><Errors><Error><Code>No</Code></Error></Errors></Response>";
    return { response: { statusCode: isSts ? 200 : 400, headers: {}, body: Readable.from([body]) } };
  };
  const requestHandler = {
    handle,
    metadata: { handlerProtocol: "http/1.1" },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  };
  return { sent, requestHandler: requestHandler as never };
}

function assumed(body: string): string {
  const action = new URLSearchParams(body).get("Action");
  return `<${action}Response><${action}Result><Credentials><AccessKeyId>ASSUMED</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></${action}Result></${action}Response>`;
}

/** The hosts that the five clients call. */
async function hostsCalled(region: string, environment: Readonly<Record<string, string>>) {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  const { sent, requestHandler } = recording();
  const options = {
    ...awsClientOptions(readConfig({ verb: "plan", environment: { AWS_REGION: region } })),
    credentials: { accessKeyId: "x", secretAccessKey: "y" },
    requestHandler,
  };
  const { ec2, v2, classic } = createAwsClients(options);
  const sqs = createSqsClient(options, queueAddress("departures"));
  for (const client of [ec2, v2, classic, createAutoScalingClient(options), sqs]) {
    const send = client.send.bind(client) as (command: unknown) => Promise<unknown>;
    await send(new DescribeInstancesCommand({})).catch(() => {});
  }
  return sent.map(({ protocol, hostname }) => `${protocol}//${hostname}`);
}

describe("every client calls the endpoint that the AWS SDK's settings name", () => {
  const services = ["ec2", "elasticloadbalancing", "elasticloadbalancing", "autoscaling", "sqs"];
  test.each([
    ["of the region", "eu-west-1", {}, services.map((name) => `${name}.eu-west-1.amazonaws.com`)],
    ["of the partition", "cn-north-1", {}, services.map((name) => `${name}.cn-north-1.amazonaws.com.cn`)],
    [
      "FIPS",
      "us-east-2",
      { AWS_USE_FIPS_ENDPOINT: "true" },
      services.map((name) => `${name}-fips.us-east-2.amazonaws.com`),
    ],
    [
      "dual stack",
      "eu-west-1",
      { AWS_USE_DUALSTACK_ENDPOINT: "true" },
      services.map((name) => `${name}.eu-west-1.api.aws`),
    ],
    [
      "interface endpoints of a VPC",
      "eu-west-1",
      {
        AWS_ENDPOINT_URL_EC2: "https://vpce-1.ec2.eu-west-1.vpce.amazonaws.com",
        AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING: "https://vpce-2.elasticloadbalancing.eu-west-1.vpce.amazonaws.com",
        AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2: "https://vpce-3.elasticloadbalancing.eu-west-1.vpce.amazonaws.com",
        AWS_ENDPOINT_URL_AUTO_SCALING: "https://vpce-4.autoscaling.eu-west-1.vpce.amazonaws.com",
        AWS_ENDPOINT_URL_SQS: "https://vpce-5.sqs.eu-west-1.vpce.amazonaws.com",
      },
      [
        "vpce-1.ec2.eu-west-1.vpce.amazonaws.com",
        "vpce-3.elasticloadbalancing.eu-west-1.vpce.amazonaws.com",
        "vpce-2.elasticloadbalancing.eu-west-1.vpce.amazonaws.com",
        "vpce-4.autoscaling.eu-west-1.vpce.amazonaws.com",
        "vpce-5.sqs.eu-west-1.vpce.amazonaws.com",
      ],
    ],
  ] as const)("%s", async (_, region, environment, hosts) => {
    expect(await hostsCalled(region, environment)).toEqual(hosts.map((host) => `https://${host}`));
  });
});

describe("with AWS_PLACES the calls go to the endpoints of each region, and those for its role to STS of the region", () => {
  const ROLE = "arn:aws:iam::444455556666:role/drainer";

  /** The hosts, and the access keys that have signed for them, of one call in each place. */
  async function calls(regions: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    const { sent, requestHandler } = recording();
    const AWS_PLACES = `Region=eu-west-1 ${regions.map((region) => `Region=${region},RoleArn=${ROLE}`).join(" ")}`;
    const config = readConfig({ verb: "plan", environment: { AWS_REGION: "eu-west-1", AWS_PLACES } });
    const credentials = { accessKeyId: "own", secretAccessKey: "y" };
    const engine = await openEngine(config, { aws: { credentials, requestHandler } });
    await engine.checkAccess(never);
    const hosts = sent.map(({ hostname, headers }) => {
      const key = /Credential=(\w+)\//.exec(headers["authorization"] ?? "")?.[1];
      return `${key} ${hostname}`;
    });
    return [...new Set(hosts)].sort();
  }

  test("of several regions", async () => {
    expect(await calls(["eu-west-1", "ap-southeast-2"])).toEqual([
      "ASSUMED ec2.ap-southeast-2.amazonaws.com",
      "ASSUMED ec2.eu-west-1.amazonaws.com",
      "own ec2.eu-west-1.amazonaws.com",
      "own sts.ap-southeast-2.amazonaws.com",
      "own sts.eu-west-1.amazonaws.com",
    ]);
  });

  test("FIPS", async () => {
    expect(await calls(["us-east-2"], { AWS_USE_FIPS_ENDPOINT: "true" })).toEqual([
      "ASSUMED ec2-fips.us-east-2.amazonaws.com",
      "own ec2-fips.eu-west-1.amazonaws.com",
      "own sts-fips.us-east-2.amazonaws.com",
    ]);
  });

  test("dual stack", async () => {
    expect(await calls(["us-east-2"], { AWS_USE_DUALSTACK_ENDPOINT: "true" })).toEqual([
      "ASSUMED ec2.us-east-2.api.aws",
      "own ec2.eu-west-1.api.aws",
      "own sts.us-east-2.api.aws",
    ]);
  });

  test("interface endpoints of a VPC", async () => {
    const endpoints = {
      AWS_ENDPOINT_URL_EC2: "https://vpce-1.ec2.eu-west-1.vpce.amazonaws.com",
      AWS_ENDPOINT_URL_STS: "https://vpce-2.sts.eu-west-1.vpce.amazonaws.com",
    };
    expect(await calls(["eu-west-1"], endpoints)).toEqual([
      "ASSUMED vpce-1.ec2.eu-west-1.vpce.amazonaws.com",
      "own vpce-1.ec2.eu-west-1.vpce.amazonaws.com",
      "own vpce-2.sts.eu-west-1.vpce.amazonaws.com",
    ]);
  });
});

describe("credentials of a role are requested from STS of the region, and used", () => {
  /** A folder for configuration, which is gone afterwards. */
  async function folder() {
    const path = await mkdtemp(join(tmpdir(), "endpoints-"));
    onTestFinished(() => rm(path, { recursive: true }));
    return path;
  }

  async function call() {
    const { sent, requestHandler } = recording();
    const options = awsClientOptions(readConfig({ verb: "plan", environment: { AWS_REGION: "eu-west-1" } }));
    await createAwsClients({ ...options, requestHandler })
      .ec2.send(new DescribeInstancesCommand({}))
      .catch(() => {});
    return sent.map(({ hostname, headers, body }) => ({
      hostname,
      action: new URLSearchParams(String(body)).get("Action"),
      role: new URLSearchParams(String(body)).get("RoleArn"),
      key: /Credential=(\w+)\//.exec(headers["authorization"] ?? "")?.[1],
    }));
  }

  test("the role of a service account (IRSA)", async () => {
    const token = join(await folder(), "token");
    await writeFile(token, "a.web.token");
    vi.stubEnv("AWS_WEB_IDENTITY_TOKEN_FILE", token);
    vi.stubEnv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/drainer");
    expect(await call()).toEqual([
      {
        hostname: "sts.eu-west-1.amazonaws.com",
        action: "AssumeRoleWithWebIdentity",
        role: "arn:aws:iam::111122223333:role/drainer",
        key: undefined,
      },
      { hostname: "ec2.eu-west-1.amazonaws.com", action: "DescribeInstances", role: null, key: "ASSUMED" },
    ]);
  });

  test("a role in another account, by a profile", async () => {
    const config = join(await folder(), "config");
    await writeFile(
      config,
      [
        "[profile own]",
        "aws_access_key_id = own",
        "aws_secret_access_key = s",
        "[profile balancers]",
        "role_arn = arn:aws:iam::444455556666:role/drainer",
        "source_profile = own",
        "region = eu-west-1",
      ].join("\n"),
    );
    vi.stubEnv("AWS_CONFIG_FILE", config);
    vi.stubEnv("AWS_PROFILE", "balancers");
    expect(await call()).toEqual([
      {
        hostname: "sts.eu-west-1.amazonaws.com",
        action: "AssumeRole",
        role: "arn:aws:iam::444455556666:role/drainer",
        key: "own",
      },
      { hostname: "ec2.eu-west-1.amazonaws.com", action: "DescribeInstances", role: null, key: "ASSUMED" },
    ]);
  });
});
