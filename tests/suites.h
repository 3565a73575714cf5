/* suites.h: the one list of unit test suites; check_NAME.c defines each. */
#ifndef BH_TESTS_SUITES_H
#define BH_TESTS_SUITES_H

#include <check.h>

/* One line per suite, in the order of the layers. */
#define BH_SUITES(X)                                                           \
    X(err) X(mem) X(buf) X(heap) X(map) X(clock) X(log) X(cursor) X(sock)      \
    X(fcgirec) X(proto) X(json) X(event) X(park) X(deliver) X(follow) X(ops) \
    X(store) X(store_lay) X(store_read) X(store_write) X(store_processes)      \
    X(request) X(reply) X(writer) X(worker) X(handover) X(serve)

#define BH_SUITE_DECLARE(name) Suite *check_##name(void);
BH_SUITES(BH_SUITE_DECLARE)
#undef BH_SUITE_DECLARE

#endif
