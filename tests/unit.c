/* unit.c: runs every suite, or those named as arguments. CK_FORK is on unless
 * the environment says otherwise, so that each test has a process of its own.
 *
 * A test that hangs is ended after two minutes. Check's own four seconds are
 * less than a sanitizer takes where other work has the processors.
 */
#include "base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"

static const struct {
    const char *name;
    Suite *(*make)(void);
} suites[] = {
#define BH_SUITE_ROW(name) {#name, check_##name},
    BH_SUITES(BH_SUITE_ROW)
#undef BH_SUITE_ROW
};

static bool
wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0) return true;
    return argc == 1;
}

int
main(int argc, char **argv)
{
    SRunner *runner = srunner_create(NULL);
    int chosen = 0;

    setenv("CK_DEFAULT_TIMEOUT", "120", 0);
    for (size_t i = 0; i < bh_countof(suites); i++) {
        if (!wanted(suites[i].name, argc, argv)) continue;
        srunner_add_suite(runner, suites[i].make());
        chosen++;
    }
    if (chosen == 0) {
        fprintf(stderr, "unit: no such suite; the names are in suites.h\n");
        srunner_free(runner);
        return 2;
    }
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
