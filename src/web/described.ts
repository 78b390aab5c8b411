import type * as z from "zod";

/** Answers in the words of the API's description. */

export function succeeded<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { "application/json": { schema } } };
}

export function failed<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { "application/problem+json": { schema } } };
}

export function header(name: string, description: string) {
  return { [name]: { description, schema: { type: "string" as const } } };
}
