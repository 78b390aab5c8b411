import { createServer } from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import { assumedRole } from "../../src/aws/assumed-role.ts";
import { type AwsRole, awsPlaces } from "../../src/aws/places.ts";
import { DrainError } from "../../src/drain/errors.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { listen } from "../../src/simulator/listen.ts";
import { SecurityTokenService, signedFor } from "../support/security-token-service.ts";

const ARN = "arn:aws:iam::444455556666:role/team/drainer";

/** STS on a socket, and the credentials that a client of the role would ask for. */
async function scene(role: Partial<AwsRole> = {}, trusted: { readonly externalId?: string } = {}) {
  const sts = new SecurityTokenService([{ arn: ARN, ...trusted }]);
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { status, body } = sts.answer(Buffer.concat(chunks).toString(), signedFor(request.headers.authorization));
      response.writeHead(status, { "content-type": "text/xml" }).end(body);
    });
  });
  const endpoint = await listen(server, { port: 0, host: "127.0.0.1" });
  onTestFinished(() => void server.close());
  const clock = new VirtualClock();
  await clock.advance(Date.now() - clock.now());
  const credentials = { accessKeyId: "own", secretAccessKey: "own-secret" };
  const options = { region: "eu-west-1", endpoint, credentials };
  return { sts, clock, ask: assumedRole({ arn: ARN, accountId: "444455556666", ...role }, options, clock) };
}

describe("credentials of a role", () => {
  test("are what STS gives, for the session and the external id that are configured", async () => {
    const { sts, ask } = await scene({ externalId: "blue", sessionName: "drains" }, { externalId: "blue" });
    expect(await ask()).toMatchObject({ accessKeyId: "ASSUMED1", secretAccessKey: "s", sessionToken: "t" });
    expect(sts.asked).toEqual([
      { roleArn: ARN, externalId: "blue", sessionName: "drains", region: "eu-west-1", by: "own" },
    ]);
  });

  test("are asked for without an external id where none is configured, with a session that names the program", async () => {
    const { sts, ask } = await scene();
    await ask();
    expect(sts.asked).toMatchObject([{ externalId: undefined, sessionName: "hasta-la-vista" }]);
  });

  test("are missing where STS denies the role: the message says which one, and what to check", async () => {
    const { ask } = await scene({}, { externalId: "blue" });
    const error = await ask().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DrainError);
    expect(error).toMatchObject({ code: "no-credentials", isPassing: true });
    expect((error as Error).message).toMatch(
      /^AWS denied sts:AssumeRole of arn:aws:iam::444455556666:role\/team\/drainer/,
    );
    expect((error as Error).message).toContain("its trust policy names this program's role and the external id");
  });

  test("that are still valid are used while STS fails, and STS is asked again half a minute later", async () => {
    const { sts, clock, ask } = await scene();
    await ask();
    sts.failure = { status: 503, code: "ServiceUnavailable" };
    for (const _ of [1, 2, 3]) expect(await ask()).toMatchObject({ accessKeyId: "ASSUMED1" });
    expect(sts.asked).toHaveLength(2);
    sts.failure = undefined;
    await clock.advance(30_000);
    expect(await ask()).toMatchObject({ accessKeyId: "ASSUMED3" });
  });

  test("that AWS has refused, or that have expired, are not used again", async () => {
    const { sts, clock, ask } = await scene();
    await ask();
    sts.failure = { status: 503, code: "ServiceUnavailable" };
    await expect(ask({ forceRefresh: true })).rejects.toMatchObject({ code: "unavailable" });
    await expect(ask()).rejects.toMatchObject({ code: "unavailable" });
    sts.failure = undefined;
    expect(await ask()).toMatchObject({ accessKeyId: "ASSUMED4" });
    sts.failure = { status: 503, code: "ServiceUnavailable" };
    await clock.advance(sts.validForMs + 60_000);
    await expect(ask()).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("AWS_PLACES", () => {
  test("is in the shorthand syntax of the AWS CLI, and a role's name may have what AWS lets it have", () => {
    const arn = "arn:aws-us-gov:iam::444455556666:role/a/b+c=d,e.f@g-h_i";
    expect(
      awsPlaces(`Region=us-gov-west-1\n  RoleSessionName=me,RoleArn=${arn},ExternalId=a,b:c/d=e,Region=us-gov-east-1`),
    ).toEqual([
      { name: "us-gov-west-1", region: "us-gov-west-1" },
      {
        name: "444455556666/us-gov-east-1",
        region: "us-gov-east-1",
        role: { arn, accountId: "444455556666", externalId: "a,b:c/d=e", sessionName: "me" },
      },
    ]);
  });

  test("names each account and region once: it has one request quota", () => {
    expect(() => awsPlaces(`Region=eu-west-1,RoleArn=${ARN} Region=eu-west-1,RoleArn=${ARN}2`)).toThrow(
      "444455556666/eu-west-1 is there twice: give each account and region once",
    );
  });
});
