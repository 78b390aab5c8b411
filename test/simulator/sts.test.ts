import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { describe, expect, test } from "vitest";
import { CREDENTIALS, SimulatedRegion } from "../support/simulated-region.ts";

function scene(accessKeyId = "simulated") {
  const region = new SimulatedRegion();
  const credentials = { ...CREDENTIALS, accessKeyId };
  const sts = new STSClient({ region: region.world.region, ...region.aws(credentials), maxAttempts: 1 });
  return { region, whoAmI: () => sts.send(new GetCallerIdentityCommand({})) };
}

// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
describe("GetCallerIdentity", () => {
  test("tells a caller its account and user", async () => {
    const { whoAmI } = scene();
    expect(await whoAmI()).toMatchObject({
      Account: "123456789012",
      Arn: "arn:aws:iam::123456789012:user/simulated",
      UserId: expect.stringMatching(/^AIDA[A-Z0-9]{17}$/),
    });
  });

  test("needs no permission, and tells a restricted caller the name that refusals call it by", async () => {
    const { region, whoAmI } = scene("restricted");
    const deny = { Effect: "Deny", Action: "*", Resource: "*" };
    const document = { Version: "2012-10-17", Statement: [deny] };
    region.simulator.access.restrict({ accessKeyId: "restricted", user: "nobody", document });
    expect(await whoAmI()).toMatchObject({ Arn: "arn:aws:iam::123456789012:user/nobody" });
  });

  test("is refused to a caller who has not signed", () => {
    const { region } = scene();
    const { status, body } = region.simulator.answer({ body: "Version=2011-06-15&Action=GetCallerIdentity" });
    expect(status).toBe(403);
    expect(body).toContain("<Code>MissingAuthenticationToken</Code>");
  });
});
