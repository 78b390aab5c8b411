import { onTestFinished } from "vitest";
import { checkAnswer } from "./api-answers.ts";

const services = new Set<string>();
const unchecked = globalThis.fetch;

/** Until the test's end each answer that it fetches from the service at `origin` is held to the API's description. */
export function checkAnswersFrom(origin: string): void {
  services.add(origin);
  globalThis.fetch = checkedFetch;
  onTestFinished(() => {
    services.delete(origin);
    if (services.size === 0) globalThis.fetch = unchecked;
  });
}

const checkedFetch: typeof fetch = async (input, init) => {
  const response = await unchecked(input, init);
  const { origin, pathname } = new URL(input instanceof Request ? input.url : input);
  if (!services.has(origin)) return response;
  // It may go on for minutes.
  if (response.headers.get("content-type") === "text/event-stream") return response;
  const method = init?.method ?? (input instanceof Request ? input.method : "GET");
  await checkAnswer({ method, path: pathname, response });
  return response;
};
