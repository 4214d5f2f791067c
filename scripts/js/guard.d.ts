/** Constants that a deploy prepends to infra/cloudfront_guard.js, and the function's event. */
type GuardNetwork = { bytes: number[]; bits: number };
type GuardEvent = { request: { uri: string }; viewer: { ip: string } };
declare const NETWORKS: GuardNetwork[];
declare const OPEN: string[];
