import { ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createSqsClient } from "../../src/aws/event-clients.ts";
import { type QueueAddress, queueAddress } from "../../src/aws/queue-address.ts";
import { ConfigError, readConfig } from "../../src/config/config.ts";

const ACCOUNT = "123456789012";

/** The host that a message of the queue would be received from. */
async function hostCalled(address: QueueAddress, endpoint?: string): Promise<string | undefined> {
  let called: string | undefined;
  const requestHandler = {
    handle: ({ hostname }: { readonly hostname: string }) => {
      called = hostname;
      return Promise.reject(new Error("called"));
    },
  };
  const credentials = { accessKeyId: "x", secretAccessKey: "y" };
  const options = { region: "ap-southeast-1", credentials, requestHandler: requestHandler as never };
  const receive = new ReceiveMessageCommand({ QueueUrl: address.url ?? "https://sqs.eu-west-1.amazonaws.com/1/q" });
  await createSqsClient(options, address, endpoint)
    .send(receive)
    .catch(() => {});
  return called;
}

describe("a queue's address", () => {
  test.each<[string, string, Partial<QueueAddress>]>([
    ["on AWS", `https://sqs.eu-west-1.amazonaws.com/${ACCOUNT}/q`, { region: "eu-west-1", accountId: ACCOUNT }],
    ["in China", `https://sqs.cn-north-1.amazonaws.com.cn/${ACCOUNT}/q`, { region: "cn-north-1" }],
    ["by FIPS", `https://sqs-fips.us-east-2.amazonaws.com/${ACCOUNT}/q`, { region: "us-east-2" }],
    ["by both versions of IP", `https://sqs.us-east-1.api.aws/${ACCOUNT}/q`, { region: "us-east-1" }],
    [
      "by a VPC endpoint",
      `https://vpce-0abc1234-wxyz.sqs.eu-west-1.vpce.amazonaws.com/${ACCOUNT}/q`,
      { region: "eu-west-1", accountId: ACCOUNT },
    ],
    ["of an emulator", "http://127.0.0.1:4566/000000000000/q", { accountId: "000000000000" }],
    ["of an emulator with a region", "http://sqs.eu-west-1.localhost:4566/000000000000/q", { region: "eu-west-1" }],
  ])("%s is called where the URL says, and signed for the region in it", async (_, url, expected) => {
    const address = queueAddress(url);
    expect(address).toMatchObject({ name: "q", url, ...expected });
    expect(address.region).toBe(expected.region);
    const { config } = createSqsClient({ region: "ap-southeast-1" }, address);
    expect(await config.region()).toBe(expected.region ?? "ap-southeast-1");
    expect(await hostCalled(address)).toBe(new URL(url).hostname);
  });

  test.each([
    ["regional", "eu-west-1.queue.amazonaws.com", "eu-west-1", "sqs.eu-west-1.amazonaws.com"],
    ["the first of all", "queue.amazonaws.com", "us-east-1", "sqs.us-east-1.amazonaws.com"],
  ])("of old, %s, is called where AWS answers today", async (_, host, region, today) => {
    const address = queueAddress(`https://${host}/${ACCOUNT}/q`);
    expect([address.region, await hostCalled(address)]).toEqual([region, today]);
  });

  test.each([
    ["AWS_USE_FIPS_ENDPOINT", "sqs.us-east-1.amazonaws.com", "sqs-fips.us-east-1.amazonaws.com"],
    ["AWS_USE_DUALSTACK_ENDPOINT", "sqs.us-east-1.amazonaws.com", "sqs.us-east-1.api.aws"],
    ["AWS_USE_FIPS_ENDPOINT", "vpce-0abc-x.sqs.us-east-1.vpce.amazonaws.com", undefined],
    ["AWS_USE_DUALSTACK_ENDPOINT", "vpce-0abc-x.sqs.us-east-1.vpce.amazonaws.com", undefined],
  ])("heeds %s for %s", async (variable, host, called = host) => {
    vi.stubEnv(variable, "true");
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(await hostCalled(queueAddress(`https://${host}/${ACCOUNT}/q`))).toBe(called);
  });

  test("gives way to AWS_ENDPOINT_URL_SQS, as with the SDK", async () => {
    const address = queueAddress(`https://sqs.eu-west-1.amazonaws.com/${ACCOUNT}/q`);
    expect(await hostCalled(address, "http://127.0.0.1:9324")).toBe("127.0.0.1");
    expect(await hostCalled(queueAddress("departures"), "http://127.0.0.1:9324")).toBe("127.0.0.1");
  });

  test("by its name leaves region and endpoint to the SDK", async () => {
    expect(queueAddress("departures")).toEqual({ name: "departures" });
    const { config } = createSqsClient({ region: "eu-west-1" }, queueAddress("departures"));
    expect([await config.region(), config.endpoint]).toEqual(["eu-west-1", undefined]);
  });

  test("may end in a slash", () => {
    expect(queueAddress("http://127.0.0.1:1/000000000000/q/").url).toBe("http://127.0.0.1:1/000000000000/q");
  });

  test.each(["departures.fifo", `https://sqs.eu-west-1.amazonaws.com/${ACCOUNT}/departures.fifo`])(
    "can't be that of a FIFO queue: %s",
    (given) => {
      expect(() => queueAddress(given)).toThrow("give a standard queue");
    },
  );

  test("with a password or a query is refused without showing either", () => {
    const refused = (QUEUE: string) => {
      try {
        readConfig({ verb: "policy", environment: { QUEUE } });
      } catch (error) {
        if (error instanceof ConfigError) return error.message;
      }
      return "not refused";
    };
    for (const given of [`https://me:hidden@h/${ACCOUNT}/q`, `https://h/${ACCOUNT}/q?X-Amz-Signature=hidden`]) {
      expect(refused(given)).toContain("without user, password, query or fragment");
      expect(refused(given)).not.toContain("hidden");
    }
  });
});
