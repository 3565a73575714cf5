/* suites.h: the one list of unit test suites; check_NAME.c defines each. */
#ifndef BH_TESTS_SUITES_H
#define BH_TESTS_SUITES_H

#include <check.h>

/* In the order of the layers; one a line, so that additions merge. */
/* clang-format off */
#define BH_SUITES(X) \
    X(err) \
    X(mem) \
    X(buf) \
    X(heap) \
    X(map) \
    X(clock) \
    X(log) \
    X(cursor) \
    X(sock) \
    X(fcgirec) \
    X(proto) \
    X(caller) \
    X(ctlpage) \
    X(rules) \
    X(hist) \
    X(metric) \
    X(active) \
    X(json) \
    X(event) \
    X(conf) \
    X(conf_fixed) \
    X(auth) \
    X(auth_cache) \
    X(auth_claims) \
    X(auth_key) \
    X(auth_sign) \
    X(park) \
    X(deliver) \
    X(stream) \
    X(follow) \
    X(ops) \
    X(control) \
    X(store) \
    X(store_lay) \
    X(store_read) \
    X(store_write) \
    X(store_admin) \
    X(store_processes) \
    X(request) \
    X(reply) \
    X(rates) \
    X(beacon) \
    X(queue) \
    X(writer) \
    X(turn) \
    X(wire) \
    X(slow) \
    X(worker) \
    X(handover) \
    X(serve) \
    X(pass)
/* clang-format on */

#define BH_SUITE_DECLARE(name) Suite *check_##name(void);
BH_SUITES(BH_SUITE_DECLARE)
#undef BH_SUITE_DECLARE

#endif
