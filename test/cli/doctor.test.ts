import { expect, test } from "vitest";
import { account } from "../support/account.ts";
import { runHere } from "../support/run-here.ts";

test("try", async () => {
  const { env } = await account();
  const { code, stdout, stderr } = await runHere(["doctor"], { ...env, AWS_REGION: "eu-west-1" }, { columns: 100 });
  console.log(stdout, stderr);
  expect(code).toBe(3);
});
