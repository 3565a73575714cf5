/* suites.h: the one list of unit test suites; check_NAME.c defines each. */
#ifndef BH_TESTS_SUITES_H
#define BH_TESTS_SUITES_H

#include <check.h>

/* One line per suite, in the order of the layers. */
#define BH_SUITES(X)                                                           \
    X(buf)

#define BH_SUITE_DECLARE(name) Suite *check_##name(void);
BH_SUITES(BH_SUITE_DECLARE)
#undef BH_SUITE_DECLARE

#endif
