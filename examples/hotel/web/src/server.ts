// Where the backend is, and how it is spoken to. Empty: where the page came from.
export const base: string = import.meta.env.VITE_API_URL ?? '';

// What the backend says when it refuses (RFC 9457).
export class Refused extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, detail: string) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

export async function read<T>(response: Response): Promise<T> {
  if (response.status === 204) return undefined as T;
  const body: unknown = await response.json().catch(() => null);
  if (response.ok) return body as T;
  const problem = (body ?? {}) as { code?: string; detail?: string };
  throw new Refused(response.status, problem.code ?? 'unknown', problem.detail ?? `The server answered ${response.status}.`);
}

export const json = (method: string, body: unknown): RequestInit => ({
  method,
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify(body),
});
