// Refuses requests that another site's page makes, and answers CORS for the origins an operator named.
// Authorization alone decides what may be done; this keeps strangers' pages from asking at all.

import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { plainHeaders } from "../reply.ts";
import type { RequestScope } from "../services.ts";

export interface OriginCheckOptions {
  publicUrl?: string | undefined;
  allowedOrigins: readonly string[];
}

export type OriginCheck = (origin: string | null, host: string) => "none" | "same" | "allowed";

/** Tells what an Origin header is to a (checked) Host; throws FORBIDDEN for a site that is not allowed. */
export function createOriginCheck(options: OriginCheckOptions): OriginCheck {
  const allowed = new Set(options.allowedOrigins);
  const own = options.publicUrl === undefined ? undefined : new URL(options.publicUrl).origin;
  return (origin, host) => {
    if (origin === null) return "none";
    if (origin === own || origin === `http://${host}` || origin === `https://${host}`) {
      return "same";
    }
    if (allowed.has(origin)) return "allowed";
    throw new AppError(
      "FORBIDDEN",
      "Requests from that origin are refused; the operator may name it in BKG_ALLOWED_ORIGINS",
    );
  };
}

/** Whether this is a CORS preflight, which carries no credential. */
export function isPreflight(request: Request): boolean {
  return request.method === "OPTIONS" && request.headers.has("origin") &&
    request.headers.has("access-control-request-method");
}

export function preflight(scope: RequestScope, request: Request): Response {
  const headers = plainHeaders(scope, "text/plain");
  delete headers["content-type"];
  const asked = request.headers.get("access-control-request-headers") ?? "";
  headers["access-control-allow-methods"] = "GET, POST, PUT, PATCH, DELETE";
  headers["access-control-allow-headers"] = /^[\w\s,-]{0,1000}$/.test(asked) && asked !== ""
    ? asked
    : "authorization, content-type, accept";
  headers["access-control-max-age"] = "600";
  if (request.headers.get("access-control-request-private-network") === "true") {
    headers["access-control-allow-private-network"] = "true";
  }
  return new Response(null, { status: 204, headers });
}

/** Lets an allowed origin's page read the answer. Never with credentials: there are no cookies. */
export function shareWith(origin: string, response: Response): void {
  const { headers } = response;
  headers.set("access-control-allow-origin", origin);
  headers.append("vary", "Origin");
  headers.set("access-control-expose-headers", exposedHeaders);
}

/** What a page elsewhere may read of an answer, beside what every page may. */
const exposedHeaders = [
  ...["x-request-id", "retry-after", "ratelimit", "ratelimit-policy"],
  ...["etag", "content-range", "x-bkg-digest"],
].join(", ");
