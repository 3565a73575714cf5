/* serve.h: the threads that accept FastCGI connections, one request each. */
#ifndef HOTEL_SERVE_H
#define HOTEL_SERVE_H

#include "hotel.h"

/* Serve HOTEL->listener until HOTEL->stop is set. False and a line in the log
 * where no thread can be started. */
bool hotel_serve_start(struct hotel *h);
/* Wait until all have left. */
void hotel_serve_join(void);

#endif
