import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { readSecretFile, secretCheck } from "../../src/web/secrets.ts";

test("only the secret itself is right, whatever the length of what is sent", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string(), (secret, sent) => {
      expect(secretCheck(secret)(sent)).toBe(secret === sent);
      expect(secretCheck(secret)(secret)).toBe(true);
    }),
  );
});

async function file(content: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "secret-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "secret"), content);
  return join(folder, "secret");
}

test.each(["s3cret", "s3cret\n", "s3cret\r\n"])(
  "a secret file's last line end is not part of the secret: %j",
  async (content) => {
    expect(await readSecretFile(await file(content))).toBe("s3cret");
  },
);
