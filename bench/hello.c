/*
 * hello.c: the peer that Bellhop is measured against: the least that a
 * libfcgi program can do for a request. N threads accept, write one constant
 * answer, as long as Bellhop's with one event in it, and finish.
 *
 *     hello SOCKET [THREADS]
 */
#include "base.h"

#include <errno.h>
#include <fcgiapp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_DEFAULT 4
#define THREADS_MAX     64
#define BACKLOG         4096

#define BODY                                                                   \
    "{\"events\":[{\"eventId\":\"0123456789abcdef-100-1000\","                 \
    "\"eventType\":\"BenchEvent\",\"timestamp\":1763900000000,"                \
    "\"orgId\":\"0123456789abcdef-100\",\"payload\":{\"pad\":"                 \
    "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"},"       \
    "\"seq\":1000}],\"cursor\":\"0123456789abcdef-1000\",\"gap\":null}"

static char answer[1024];
static int answer_len;
static int listener;

/* The head is Bellhop's too, so that the web server has as much to copy. */
static void
make_answer(void)
{
    answer_len = snprintf(answer, sizeof answer,
                          "Status: 200 OK\r\n"
                          "Content-Type: application/json\r\n"
                          "Cache-Control: no-store\r\n"
                          "Content-Length: %zu\r\n"
                          "X-Request-ID: 0123456789abcdef\r\n"
                          "\r\n" BODY,
                          sizeof BODY - 1);
}

/* libfcgi's own handler leaves a thread in accept(2) asleep. */
static void
leave(int sig)
{
    (void)sig;
    _exit(0);
}

static void *
serve(void *arg)
{
    FCGX_Request request;

    (void)arg;
    FCGX_InitRequest(&request, listener, 0);
    while (FCGX_Accept_r(&request) == 0) {
        FCGX_PutStr(answer, answer_len, request.out);
        FCGX_Finish_r(&request);
    }
    return NULL;
}

static int
start_threads(int n)
{
    pthread_t thread;

    for (int i = 0; i < n; i++) {
        int e = pthread_create(&thread, NULL, serve, NULL);
        if (e) {
            fprintf(stderr, "hello: can't start a thread: %s\n", strerror(e));
            return -1;
        }
    }
    return 0;
}

int
main(int argc, char **argv)
{
    int threads = argc > 2 ? atoi(argv[2]) : THREADS_DEFAULT;

    if (argc < 2 || argc > 3 || threads < 1 || threads > THREADS_MAX) {
        fprintf(stderr, "usage: hello SOCKET [THREADS, 1 to %d]\n",
                THREADS_MAX);
        return 64;
    }
    signal(SIGTERM, leave);
    signal(SIGINT, leave);
    make_answer();
    if (FCGX_Init() || (listener = FCGX_OpenSocket(argv[1], BACKLOG)) < 0) {
        fprintf(stderr, "hello: can't listen at %s\n", argv[1]);
        return 71;
    }
    if (start_threads(threads) < 0) return 71;
    for (;;) pause();
}
