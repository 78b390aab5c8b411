/** Where all of it is. */
export const REGION = "eu-west-1";
export const ACCOUNT = "123456789012";
export const QUEUE = "departures";
export const CREDENTIALS = { accessKeyId: "bench", secretAccessKey: "bench" };
