import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { readSecrets } from "../../src/config/files.ts";

async function secretsOf(content: string): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), "secret-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const SECRET_FILE = join(folder, "secret");
  await writeFile(SECRET_FILE, content);
  return readSecrets(readConfig({ verb: "serve", environment: { SECRET_FILE, CLOUDPROVIDER: "aws" } }));
}

test.each(["first", "first\n", "first\r\n", "\n\nfirst\n \n"])(
  "a secret file's line ends, and its empty lines, are no part of the secret: %j",
  async (content) => {
    expect(await secretsOf(content)).toEqual(["first"]);
  },
);

test.each(["first\nsecond\n", "first\r\n\r\nsecond"])("a secret file has a secret a line: %j", async (content) => {
  expect(await secretsOf(content)).toEqual(["first", "second"]);
});

test("white space at a secret's ends belongs to it", async () => {
  expect(await secretsOf(" first \n")).toEqual([" first "]);
});
