#include "suites.h"
Suite *check_conf_fixed(void) { return suite_create("conf_fixed"); }
