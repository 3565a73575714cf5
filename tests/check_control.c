#include "suites.h"
Suite *check_control(void) { return suite_create("control"); }
