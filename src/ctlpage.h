/*
 * ctlpage.h: the control page, 64 bytes in "<log>.control", by which bellhopctl
 * tells every process of a log that something has changed, those too that a web
 * server has started and nobody knows the ids of.
 *
 * It holds no truth: two numbers that are new after each change of the log's
 * tables and of the configuration, and the levels of logging. A page that is
 * gone, short or foreign is laid anew with new numbers, so that everybody reads
 * everything again; only levels are lost then. It is read with pread(2), never
 * mapped: a file that somebody cuts short must not end a process (SIGBUS). A
 * look is an fstat(2) and a pread(2), 1.3 microseconds on a busy machine.
 */
#ifndef BH_CTLPAGE_H
#define BH_CTLPAGE_H

#include "base.h"

enum bh_part { BH_PART_WORKER, BH_PART_BROKER };
#define BH_PARTS 2

/* Nobody who serves goes by a page that he read longer ago. */
#define BH_CTLPAGE_STALE_US 1000

struct bh_ctlpage {
    uint64_t rules; /* the tables denied and domain_switches */
    uint64_t conf;  /* the configuration is to be read again */
    uint8_t
        level[BH_PARTS]; /* 0: the configuration's; else enum bh_level + 1 */
};

/* An open page. For one thread at a time. */
struct bh_ctlfile {
    char *path;
    int fd; /* -1: not open */
};
/* Of the log at LOG_PATH. Opens nothing yet. 0 or -ENOMEM. */
int bh_ctlfile_init(struct bh_ctlfile *f, const char *log_path);
void bh_ctlfile_fini(struct bh_ctlfile *f);
/* 0; -ENOENT where there is none; -EINVAL where it is damaged; another errno.
 * A page that was replaced or removed is noticed. */
int bh_ctlpage_read(struct bh_ctlfile *f, struct bh_ctlpage *out);

#define BH_LEVEL_KEEP (-1)
struct bh_ctlchange {
    bool rules, conf;    /* say that they have changed */
    int level[BH_PARTS]; /* what to put there, or BH_LEVEL_KEEP */
};
extern const struct bh_ctlchange bh_ctlchange_none;
/*
 * Change the page of the log at LOG_PATH, under its lock. It is laid (mode 0660
 * less umask; by root: for the log's owner) where it is missing or damaged, and
 * left as it is where it is sound and nothing is to change.
 */
int bh_ctlpage_change(const char *log_path, const struct bh_ctlchange *c);

#endif
