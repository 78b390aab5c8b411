import fc from "fast-check";
import { expect, test } from "vitest";
import { secretCheck } from "../../src/web/secrets.ts";

test("only the secrets themselves are right, whatever the length of what is sent", () => {
  const secrets = fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(secrets, fc.string(), (all, sent) => {
      const isSecret = secretCheck(all);
      expect(isSecret(sent)).toBe(all.includes(sent));
      expect(all.map(isSecret)).toEqual(all.map(() => true));
    }),
  );
});
