#include "suites.h"
Suite *check_ctlpage(void) { return suite_create("ctlpage"); }
