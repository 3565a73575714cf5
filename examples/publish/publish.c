/*
 * publish ORG EVENT_TYPE PAYLOAD [EVENT_ID]: publish one event with libcurl and
 * cJSON; PAYLOAD is JSON. BELLHOP_URL and BELLHOP_TOKEN say where and as whom.
 * Exit: 0 stored, 65 refused for good, 75 not now: keep the event, try later.
 *
 *     cc -o publish publish.c $(pkg-config --cflags --libs libcurl libcjson)
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <curl/curl.h>

#define TRIES 6

struct text {
    char *p;
    size_t len;
};

static size_t
collect(char *data, size_t size, size_t n, void *arg)
{
    struct text *t = arg;
    char *p = realloc(t->p, t->len + size * n + 1);

    if (p == NULL) return 0; /* curl gives the request up */
    memcpy(p + t->len, data, size * n);
    t->p = p;
    t->len += size * n;
    t->p[t->len] = '\0';
    return size * n;
}

/* One try. The HTTP status, 0 without a whole answer; *AFTER: Retry-After. */
static long
post(CURL *curl, struct text *answer, curl_off_t *after)
{
    long status = 0;

    free(answer->p);
    *answer = (struct text){NULL, 0};
    *after = 0;
    if (curl_easy_perform(curl) != CURLE_OK) return 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, after);
    return status;
}

static void
wait_before(int attempt, curl_off_t after)
{
    long ms = after > 0 ? (long)after * 1000
                        : (250L << attempt) * (50 + random() % 100) / 100;
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

/* Publish JSON, an event or {"events":[…]} with 1 to 500, all or nothing.
 * EX_OK, EX_DATAERR or EX_TEMPFAIL; ANSWER is the caller's to free. */
static int
publish(const char *url, const char *token, const char *json,
        struct text *answer)
{
    CURL *curl = curl_easy_init();
    char authorization[8300];
    long status = 0;
    curl_off_t after;

    snprintf(authorization, sizeof authorization, "Authorization: Bearer %s",
             token);
    struct curl_slist *headers = curl_slist_append(NULL, authorization);
    headers = curl_slist_append(headers, "Content-Type: application/json");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    for (int attempt = 0; attempt < TRIES; attempt++) {
        status = post(curl, answer, &after);
        if (status != 0 && status != 429 && status < 500) break;
        if (attempt + 1 < TRIES) wait_before(attempt, after);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (status == 200) return EX_OK;
    /* 401, 403: the event is good, the token isn't. */
    bool later = status == 0 || status == 401 || status == 403 ||
                 status == 429 || status >= 500;
    return later ? EX_TEMPFAIL : EX_DATAERR;
}

/* Made once, before the first try. */
static void
new_id(char out[33])
{
    unsigned char bytes[16];

    if (getentropy(bytes, sizeof bytes) != 0) abort();
    for (int i = 0; i < 16; i++) sprintf(out + 2 * i, "%02x", bytes[i]);
}

static cJSON *
make_event(const char *org, const char *type, const char *payload,
           const char *id)
{
    cJSON *event = cJSON_CreateObject();
    struct timespec now;
    char own[33];

    new_id(own);
    clock_gettime(CLOCK_REALTIME, &now);
    cJSON_AddStringToObject(event, "eventId", id != NULL ? id : own);
    cJSON_AddStringToObject(event, "eventType", type);
    cJSON_AddNumberToObject(event, "timestamp",
                            (double)now.tv_sec * 1000 +
                                (double)(now.tv_nsec / 1000000));
    cJSON_AddStringToObject(event, "orgId", org);
    cJSON_AddRawToObject(event, "payload", payload); /* its numbers stay */
    return event;
}

int
main(int argc, char **argv)
{
    const char *base = getenv("BELLHOP_URL"), *token = getenv("BELLHOP_TOKEN");
    struct text answer = {NULL, 0};
    char url[512];

    if (argc < 4 || base == NULL || token == NULL) {
        fprintf(stderr, "Usage: BELLHOP_URL=… BELLHOP_TOKEN=… publish ORG "
                        "EVENT_TYPE PAYLOAD [EVENT_ID]\n");
        return EX_USAGE;
    }
    srandom((unsigned)getpid());
    curl_global_init(CURL_GLOBAL_DEFAULT);
    snprintf(url, sizeof url, "%s/tasks/realtime/publish", base);
    cJSON *event =
        make_event(argv[1], argv[2], argv[3], argc > 4 ? argv[4] : NULL);
    char *json = cJSON_PrintUnformatted(event);
    int rc = publish(url, token, json, &answer);

    fprintf(rc == EX_OK ? stdout : stderr, "%s%s\n",
            rc == EX_OK        ? ""
            : rc == EX_DATAERR ? "refused: "
                               : "not now: ",
            answer.p != NULL ? answer.p : "no answer");
    free(answer.p);
    free(json);
    cJSON_Delete(event);
    curl_global_cleanup();
    return rc;
}
