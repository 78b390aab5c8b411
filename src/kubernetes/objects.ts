import type { EventsV1Event, V1Eviction, V1Node, V1ObjectMeta, V1Pod } from "@kubernetes/client-node";

/**
 * An object of the Kubernetes API in JSON, in which times are strings. Its shape is not guaranteed: every field may be
 * absent.
 */
export type Wire<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? readonly Wire<Item>[]
    : T extends object
      ? { readonly [Name in keyof T]: Wire<T[Name]> }
      : T;

type ObjectMeta = Wire<V1ObjectMeta>;
export type Node = Wire<V1Node>;
export type Pod = Wire<V1Pod>;
/** `policy/v1`. */
export type Eviction = Wire<V1Eviction>;
/** `events.k8s.io/v1`. */
export type ClusterEvent = Wire<EventsV1Event>;

/** The fields that every object has. */
export interface KubernetesObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
}
