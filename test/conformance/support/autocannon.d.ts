/** As much of autocannon as is used here. */
declare module "autocannon" {
  export interface Options {
    readonly url: string;
    readonly connections: number;
    /** Requests in all. */
    readonly amount: number;
    /** Milliseconds between its looks at whether it is done. */
    readonly sampleInt: number;
    /** Seconds after which a request is given up. */
    readonly timeout?: number;
    /** Errors after which it gives up altogether. */
    readonly bailout?: number;
  }

  export interface Result {
    readonly "2xx": number;
    readonly non2xx: number;
    readonly errors: number;
  }

  interface Instance extends PromiseLike<Result> {
    on(event: "response", listener: () => void): void;
  }

  export default function autocannon(options: Options): Instance;
}
