/* check_ctlpage.c: what one process says on the page, others read; whatever
 * becomes of the file. */
#include "base.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctlpage.h"
#include "log.h"
#include "logbox.h"
#include "suites.h"

static struct bh_ctlfile f;
static struct bh_ctlpage page;
static const struct bh_ctlchange rules = {
    true, false, {BH_LEVEL_KEEP, BH_LEVEL_KEEP}};
static const struct bh_ctlchange conf = {
    false, true, {BH_LEVEL_KEEP, BH_LEVEL_KEEP}};

static void
setup(void)
{
    bh_logbox_setup();
    ck_assert_int_eq(bh_ctlfile_init(&f, bh_logbox_path("")), 0);
}

static void
teardown(void)
{
    bh_ctlfile_fini(&f);
    bh_logbox_teardown();
}

static void
change(const struct bh_ctlchange *c)
{
    ck_assert_int_eq(bh_ctlpage_change(bh_logbox_path(""), c), 0);
    ck_assert_int_eq(bh_ctlpage_read(&f, &page), 0);
}

static void
overwrite(const void *p, size_t len, off_t length)
{
    int fd = open(bh_logbox_path(".control"), O_WRONLY);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, p, len, 0), (ssize_t)len);
    ck_assert_int_eq(ftruncate(fd, length), 0);
    close(fd);
}

START_TEST(each_change_is_a_new_number)
{
    ck_assert_int_eq(bh_ctlpage_read(&f, &page), -ENOENT);
    change(&bh_ctlchange_none);
    struct bh_ctlpage first = page;
    ck_assert_uint_ne(first.rules, 0);
    change(&bh_ctlchange_none);
    ck_assert_uint_eq(page.rules, first.rules);
    change(&rules);
    ck_assert_uint_ne(page.rules, first.rules);
    ck_assert_uint_eq(page.conf, first.conf);
    change(&conf);
    ck_assert_uint_ne(page.conf, first.conf);
    ck_assert_int_eq(bh_logbox_size(".control"), 64);
}
END_TEST

START_TEST(levels_stay_through_other_changes)
{
    const struct bh_ctlchange debug = {
        false, false, {BH_DEBUG + 1, BH_LEVEL_KEEP}};
    const struct bh_ctlchange back = {false, false, {0, BH_LEVEL_KEEP}};

    change(&debug);
    change(&rules);
    ck_assert_uint_eq(page.level[BH_PART_WORKER], BH_DEBUG + 1);
    ck_assert_uint_eq(page.level[BH_PART_BROKER], 0);
    change(&back);
    ck_assert_uint_eq(page.level[BH_PART_WORKER], 0);
}
END_TEST

START_TEST(a_damaged_page_is_laid_anew)
{
    static const char junk[64] = "not a page of ours at all";
    const off_t lengths[] = {0, 1, 63, 64, 4096};

    for (size_t i = 0; i < bh_countof(lengths); i++) {
        change(&bh_ctlchange_none);
        struct bh_ctlpage before = page;
        overwrite(junk, sizeof junk, lengths[i]);
        ck_assert_int_eq(bh_ctlpage_read(&f, &page), -EINVAL);
        change(&bh_ctlchange_none);
        ck_assert_uint_ne(page.rules, before.rules);
        ck_assert_uint_ne(page.conf, before.conf);
        ck_assert_int_eq(bh_logbox_size(".control"), 64);
    }
}
END_TEST

/* One bit anywhere is enough to be found out. */
START_TEST(every_byte_counts)
{
    unsigned char bytes[64];

    change(&rules);
    int fd = open(bh_logbox_path(".control"), O_RDWR);
    ck_assert_int_eq(pread(fd, bytes, sizeof bytes, 0), 64);
    for (int i = 0; i < 64; i++) {
        bytes[i] ^= 1;
        ck_assert_int_eq(pwrite(fd, bytes, sizeof bytes, 0), 64);
        ck_assert_int_eq(bh_ctlpage_read(&f, &page), -EINVAL);
        bytes[i] ^= 1;
    }
    close(fd);
}
END_TEST

START_TEST(a_page_that_was_replaced_is_noticed)
{
    change(&rules);
    struct bh_ctlpage before = page;
    ck_assert_int_eq(unlink(bh_logbox_path(".control")), 0);
    ck_assert_int_eq(bh_ctlpage_read(&f, &page), -ENOENT);
    change(&bh_ctlchange_none);
    ck_assert_uint_ne(page.rules, before.rules);
}
END_TEST

START_TEST(no_link_and_no_folder_is_followed)
{
    ck_assert_int_eq(symlink("/etc/passwd", bh_logbox_path(".control")), 0);
    ck_assert_int_lt(bh_ctlpage_change(bh_logbox_path(""), &rules), 0);
    ck_assert_int_lt(bh_ctlpage_read(&f, &page), 0);
    ck_assert_int_eq(unlink(bh_logbox_path(".control")), 0);
    ck_assert_int_eq(mkdir(bh_logbox_path(".control"), 0700), 0);
    ck_assert_int_lt(bh_ctlpage_change(bh_logbox_path(""), &rules), 0);
    ck_assert_int_lt(bh_ctlpage_read(&f, &page), 0);
    ck_assert_int_eq(rmdir(bh_logbox_path(".control")), 0);
}
END_TEST

#define CHANGES 2000
static bool writing; /* atomic */

static void *
write_much(void *arg)
{
    for (int i = 0; i < CHANGES; i++)
        if (bh_ctlpage_change(bh_logbox_path(""), i % 2 ? &rules : &conf) < 0)
            *(bool *)arg = true;
    __atomic_store_n(&writing, false, __ATOMIC_RELEASE);
    return NULL;
}

/* A reader beside a writer has a whole page or knows that it hasn't. */
START_TEST(read_while_it_is_written)
{
    pthread_t t;
    bool failed = false;

    change(&rules);
    writing = true;
    ck_assert_int_eq(pthread_create(&t, NULL, write_much, &failed), 0);
    while (__atomic_load_n(&writing, __ATOMIC_ACQUIRE)) {
        int rc = bh_ctlpage_read(&f, &page);
        ck_assert(rc == 0 || rc == -EINVAL);
    }
    pthread_join(t, NULL);
    ck_assert(!failed);
    ck_assert_int_eq(bh_ctlpage_read(&f, &page), 0);
}
END_TEST

Suite *
check_ctlpage(void)
{
    Suite *s = suite_create("ctlpage");
    TCase *t = tcase_create("page");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, each_change_is_a_new_number);
    tcase_add_test(t, levels_stay_through_other_changes);
    tcase_add_test(t, a_damaged_page_is_laid_anew);
    tcase_add_test(t, every_byte_counts);
    tcase_add_test(t, a_page_that_was_replaced_is_noticed);
    tcase_add_test(t, no_link_and_no_folder_is_followed);
    tcase_add_test(t, read_while_it_is_written);
    suite_add_tcase(s, t);
    return s;
}
