// The one class of errors that the client shows.

/**
 * - `network`: no answer; `timeout`: none in time; `bad_response`: one that isn't of the protocol
 * - `http`: a status that fits none of the others; `overloaded`: 429, 503, or the server's own pause
 * - `unauthorized`: 401; `forbidden`: 403; `gone`: 410; `disabled`: the domain is switched off
 * - `handler`: a listener threw; `invalid_event`: an event was dropped, it didn't fit the schema
 */
export type RealtimeErrorCode =
  | 'network'
  | 'timeout'
  | 'http'
  | 'unauthorized'
  | 'forbidden'
  | 'gone'
  | 'disabled'
  | 'overloaded'
  | 'bad_response'
  | 'invalid_event'
  | 'handler';

export interface RealtimeErrorDetails {
  status?: number | undefined;
  /** The `code` of the server's problem+json. */
  reason?: string | undefined;
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/** Its message says what to do next and never holds a token or a payload. */
export class RealtimeError extends Error {
  declare readonly code: RealtimeErrorCode;
  declare readonly status: number | undefined;
  declare readonly reason: string | undefined;
  declare readonly retryAfterMs: number | undefined;

  constructor(code: RealtimeErrorCode, message: string, details: RealtimeErrorDetails = {}) {
    super(message);
    const { status, reason, retryAfterMs, cause } = details;
    Object.assign(this, { name: 'RealtimeError', code, status, reason, retryAfterMs, cause });
  }
}
