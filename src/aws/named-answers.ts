import type { AutoScalingClient } from "@aws-sdk/client-auto-scaling";
import { UnusableAnswer } from "./errors.ts";

/** An answer from the wire, before the SDK has parsed it. */
interface RawAnswer {
  readonly statusCode: number;
  body: AsyncIterable<Uint8Array | string> | Uint8Array;
}

/**
 * Checks that every successful answer belongs to its call. Answers to calls that only act have no fields, and the SDK
 * would accept an empty body, or the page of a proxy in between. In this protocol each answer has an element with the
 * call's name. https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
 */
export function holdToTheirNames({ middlewareStack }: AutoScalingClient): void {
  middlewareStack.add(
    (next, { commandName = "" }) =>
      async (args) => {
        const result = await next(args);
        const answer = result.response as RawAnswer;
        if (answer.statusCode >= 300) return result;
        answer.body = await whole(answer.body);
        const element = commandName.replace(/Command$/, "Response");
        if (!answer.body.toString().includes(`<${element}`)) throw new UnusableAnswer(`it has no ${element}`);
        return result;
      },
    // Closest to the wire: the SDK parses the body afterwards.
    { name: "holdToTheirNames", step: "deserialize", priority: "low" },
  );
}

async function whole(body: RawAnswer["body"]): Promise<Buffer> {
  if (body instanceof Uint8Array) return Buffer.from(body);
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}
