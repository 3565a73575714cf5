/*
 * bounds.h: every bound that is not a matter of configuration, in one table.
 * PROTOCOL.md repeats those that a client can meet; a test compares the two.
 * Sizes are in bytes unless the name says otherwise.
 */
#ifndef BH_BOUNDS_H
#define BH_BOUNDS_H

/* The event and the publish request. */
#define BH_NAME_MAX      128   /* eventId, eventType, orgId, propertyId, sub */
#define BH_EVENT_MAX     65536 /* one event as it was sent */
#define BH_BATCH_MAX     500   /* events in one publish */
#define BH_DEPTH_MAX     64 /* nesting of one event, itself the first level */
#define BH_BODY_MAX      (BH_BATCH_MAX * (BH_EVENT_MAX + 2) + 1024)
#define BH_TIMESTAMP_MAX 9007199254740991LL /* 2^53-1 */
#define BH_POINTER_MAX   256                /* a JSON Pointer in a refusal */
#define BH_ERRORS_MAX    16                 /* errors listed in one refusal */

/* The request around it. */
#define BH_DOMAIN_MAX     32   /* [a-z][a-z0-9-]{0,31} */
#define BH_DOMAINS_MAX    64   /* domains in one configuration */
#define BH_TOKEN_MAX      8192 /* a JWT in the Authorization header */
#define BH_PROPERTIES_MAX 256  /* properties in one token */
#define BH_CLIENT_ID_MAX  64   /* X-Client-Id */
#define BH_REQUEST_ID_MAX 64   /* X-Request-ID, ours and the client's */
#define BH_QUERY_MAX      2048
#define BH_WAIT_MAX       25   /* seconds a client may ask for */
#define BH_PAGE_MAX       1000 /* events in one page of history */
#define BH_PAGE_DEFAULT   200
#define BH_HEAD_MAX       2048 /* response head handed to the broker */
#define BH_WORD_MAX       64 /* a foreign word in a log line, after escaping */

/* A client's telemetry. */
#define BH_TELEMETRY_MAX       4096 /* a request's body */
#define BH_TELEMETRY_BATCH_MAX 20   /* entries in it */
#define BH_TELEMETRY_ID_MAX    64   /* sessionId, tabId, eventType */
#define BH_TELEMETRY_DATA_MAX  1024 /* the other members of one, compact */

/* The log. */
#define BH_LOG_ID_LEN 16   /* hex digits of a log's random name */
#define BH_CURSOR_MAX 40   /* "<log id>-<seq>" and its NUL */
#define BH_GROUP_MAX  4096 /* events in one transaction of the writer */
#define BH_ANSWER_MAX (4 * 1024 * 1024) /* soft: events in one answer */

/* What an operator says. */
#define BH_DENIED_MAX   10000 /* entries of the deny list */
#define BH_REASON_MAX   256   /* why one is there */
#define BH_SWITCHES_MAX 4096  /* domains that were ever switched */

/* Between worker and broker. */
#define BH_MSG_MAX         65536 /* one message */
#define BH_ERROR_TEXT_MAX  256   /* the words of an ERROR */
#define BH_RELOAD_TEXT_MAX 4096  /* the words of a RELOADED */
#define BH_KEYS_MAX        16    /* keys in one configuration */
#define BH_KEY_FILE_MAX    16384
#define BH_RSA_BITS_MIN    2048 /* RFC 7518, 3.3 */
#define BH_SECRET_MIN      32   /* HS256's secret; HS512's is twice that */

#endif
