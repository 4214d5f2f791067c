/* Types for the comments in web/. They are here and not there because browsers load those files. */

/** The API's responses, named as their schemas in docs/openapi.yaml. */
declare namespace Api {
  type OpenState = "received" | "preparing" | "ready";
  type State = OpenState | "collected" | "cancelled";

  /** An order that a screen lists, so that it has a state. */
  interface StaffOrder {
    order_id: string;
    number: string;
    state: State;
    version: number;
    state_at: string;
    /** null: recorded by an earlier system without a time */
    created_at: string | null;
    ready_at: string | null;
    recall_to: State | null;
    customer_name: string;
    item: string;
    quantity: number;
    attributes: Record<string, unknown>;
    reason: string | null;
  }

  interface Kitchen {
    now: string;
    orders: StaffOrder[];
    totals: Record<OpenState | "delayed", number>;
    delayed: StaffOrder[];
    recent: StaffOrder[];
  }

  interface Ready {
    now: string;
    preparing: string[];
    ready: { number: string; since: string }[];
  }

  interface Track {
    now: string;
    number: string | null;
    state: State;
    state_at: string | null;
    ready_at: string | null;
    orders_before: number | null;
    usual_seconds: number | null;
  }

  interface Menu {
    menu: { item: string; price: number }[];
  }

  interface OrderAccepted {
    orderId: string;
    message: string;
    track_url?: string;
  }

  interface OrderRefused {
    message: string;
    errors?: Record<string, string>;
  }

  interface ChangeRefused {
    message: string;
    errors: Record<string, string>;
  }

  type Count = number | null;
  type Source = "dynamodb" | "rds" | "sqs";

  interface OrderStatus {
    metrics: { metric: "TOTAL_ORDERS" | "TODAY_ORDERS"; count: Count }[];
    today: { count: Count; same_time_yesterday: Count };
    open_orders: Record<OpenState, number> | null;
    recent_orders: RecentOrder[];
    top_items: { item: string; quantity: number }[];
    hourly: { hour: string; count: number }[];
    sync: Sync;
    generated_at: string;
    degraded: Source[];
  }

  interface RecentOrder {
    order_id: string | null;
    customer_name: string | null;
    item: string | null;
    quantity: number | null;
    created_at: string | null;
  }

  interface Sync {
    waiting: Count;
    in_flight: Count;
    dead_lettered: Count;
    dead_letters: { rejected: number; conflicting: number; waiting: number; as_of: string } | null;
    rds_orders: { count: number; as_of: string } | null;
    dynamodb_orders: Count;
    in_sync: boolean | null;
    drift: Count;
    drift_since: string | null;
    unknown_since: string | null;
    unknown_reason: string | null;
  }
}

/** A response of a server that may be older or newer than the page: anything may be missing. */
type Untrusted<T> = T extends object ? { [Key in keyof T]?: Untrusted<T[Key]> } | null : T | null;

/** Options of a request to the API. */
interface ApiOptions extends Omit<RequestInit, "headers"> {
  /** the session to use, where the API needs one */
  signIn?: import("../../web/sign-in.js").SignIn | null;
  headers?: Record<string, string>;
}

interface SignInSettings {
  domain: string;
  clientId: string;
  scope: string;
}

interface Session {
  access: string;
  refresh: string | null;
  /** when the access token expires, in milliseconds */
  until: number;
}

/** A response of the user pool's token endpoint. */
interface Tokens {
  access_token: string;
  refresh_token?: string;
  expires_in: number;
}

type FigureName =
  | "total" | "today" | "yesterday" | "thisHour" | "waiting" | "inFlight" | "deadLettered" | "inRds" | "counted"
  | "drift" | "received" | "preparing" | "ready";

interface Figure {
  value: number | null;
  /** the latest response lacks the value, and an earlier one had it */
  old: boolean;
}

type Level = "good" | "busy" | "stuck" | "unknown";

/** What the order board knows after a response. */
interface Status {
  figures: Record<FigureName, Figure>;
  /** null: not known yet */
  orders: StatusOrder[] | null;
  /** oldest first */
  hours: { name: string; count: number }[];
  /** most ordered first */
  items: { item: string; quantity: number }[];
  /** when the rows in RDS were counted */
  rdsAsOf: Date | null;
  inSync: boolean | null;
  driftSince: Date | null;
  /** since when RDS and DynamoDB could not be compared */
  unknownSince: Date | null;
  unknownReason: string;
  /** messages that are invalid, reuse the id of another order, or can be recorded later; null: not checked */
  deadLetters: { rejected: number; conflicting: number; waiting: number; asOf: Date } | null;
  /** unavailable sources, by the API's names */
  degraded: string[];
  generatedAt: string | null;
  /** when an order was last recorded, or none was in transit, in milliseconds */
  movedAt: number;
}

interface StatusOrder {
  id: string;
  item: string;
  quantity: string;
  /** empty: the API does not return names */
  customer: string;
  /** null: recorded by an earlier system without a time */
  createdAt: Date | null;
}

/** After how many minutes an order is due, and overdue. */
interface Limits {
  warnMinutes: number;
  overdueMinutes: number;
}
