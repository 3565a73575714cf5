/* note.h: NOTEs wait here until their rows have been read; then the sender is
 * told how many waiters each row was for. */
#ifndef BH_NOTE_H
#define BH_NOTE_H

#include "conn.h"

/* After worker.broker_timeout_seconds: a worker has given up by then. */
#define BH_NOTE_GRACE_MS 1000
#define BH_NOTES_MAX     4096

/* Keep M until its rows are read; false where there's no memory or room. */
bool bh_note_keep(struct bh_conn *c, const struct bh_note *m);
/* In the before-wait hook: answer those whose rows have been read, drop those
 * that are too old. */
void bh_notes_answer(struct bh_broker *b);
/* C is closing: there is nobody to tell. */
void bh_notes_forget(struct bh_conn *c);

#endif
