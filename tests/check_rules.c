#include "suites.h"
Suite *check_rules(void) { return suite_create("rules"); }
