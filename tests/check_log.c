#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "suites.h"

/* Stderr goes to a memory file while a test runs. */
static int real_stderr, file;
static char text[512 * 1024];

static void
setup(void)
{
    real_stderr = dup(STDERR_FILENO);
    file = memfd_create("stderr", MFD_CLOEXEC);
    /* Without it threads overwrite each other: a memfd's position has no lock
     */
    ck_assert_int_eq(fcntl(file, F_SETFL, O_APPEND), 0);
    ck_assert_int_ge(dup2(file, STDERR_FILENO), 0);
    unsetenv("JOURNAL_STREAM");
    bh_log_open("bellhopd", false);
    bh_log_level(BH_INFO);
    bh_clock_fake(1000, 1795492201123); /* 2026-11-24T03:50:01.123Z */
}

static void
teardown(void)
{
    bh_clock_real();
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(file);
}

/* All that has been written so far. */
static const char *
written(void)
{
    ssize_t n = pread(file, text, sizeof text - 1, 0);

    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    return text;
}

/* What stands before a text, for a level. */
static const char *
prefix(const char *level)
{
    static char s[100];

    snprintf(s, sizeof s,
             "2026-11-24T03:50:01.123Z bellhopd[%ld] %s: ", (long)getpid(),
             level);
    return s;
}

START_TEST(a_line)
{
    char expected[200];

    bh_log(BH_NOTICE, "listening on %s, %d channels", "/run/b.sock", 7);
    snprintf(expected, sizeof expected,
             "%slistening on /run/b.sock, 7 channels\n", prefix("notice"));
    ck_assert_str_eq(written(), expected);
}
END_TEST

/* A zone that has no file: gmtime_r() looks for it and sets errno. */
START_TEST(the_errno_of_the_caller)
{
    char expected[200];

    setenv("TZ", ":/nowhere", 1);
    errno = EMFILE;
    bh_log(BH_WARN, "an event fd: %m");
    ck_assert_int_eq(errno, EMFILE);
    unsetenv("TZ");
    snprintf(expected, sizeof expected, "%san event fd: %s\n", prefix("warn"),
             strerror(EMFILE));
    ck_assert_str_eq(written(), expected);
}
END_TEST

START_TEST(levels)
{
    enum bh_level level = BH_DEBUG;

    bh_log(BH_DEBUG, "quiet");
    ck_assert_str_eq(written(), "");
    ck_assert(bh_log_wants(BH_INFO));
    ck_assert(!bh_log_wants(BH_DEBUG));
    bh_log_level(BH_DEBUG);
    bh_log(BH_DEBUG, "loud");
    ck_assert_ptr_nonnull(strstr(written(), " debug: loud\n"));
    ck_assert(bh_level_parse("error", &level));
    ck_assert_int_eq(level, BH_ERROR);
    ck_assert(bh_level_parse("warn", &level));
    ck_assert_int_eq(level, BH_WARN);
    ck_assert(!bh_level_parse("Warn", &level));
    ck_assert(!bh_level_parse("", &level));
    ck_assert_int_eq(level, BH_WARN);
}
END_TEST

START_TEST(errno_is_kept)
{
    errno = EMFILE;
    bh_log(BH_WARN, "a line");
    ck_assert_int_eq(errno, EMFILE);
    bh_log(BH_DEBUG, "none");
    ck_assert_int_eq(errno, EMFILE);
    close(STDERR_FILENO);
    bh_log(BH_WARN, "nowhere to");
    ck_assert_int_eq(errno, EMFILE);
}
END_TEST

START_TEST(nothing_forges_a_line)
{
    bh_log(BH_INFO, "%s", "a\nb\r\t\x1b[31m\x7f caf\xc3\xa9 \xf0\x9f\x98\x80");
    ck_assert_str_eq(written() + strlen(prefix("info")),
                     "a\\x0ab\\x0d\\x09\\x1b[31m\\x7f caf\xc3\xa9 "
                     "\xf0\x9f\x98\x80\n");
}
END_TEST

START_TEST(journal_lines)
{
    struct stat st;
    char id[64];

    ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
    snprintf(id, sizeof id, "%ju:%ju", (uintmax_t)st.st_dev,
             (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", id, 1);
    bh_log_open("bellhopd", false);
    bh_log(BH_WARN, "one");
    bh_log(BH_ERROR, "two");
    ck_assert_str_eq(written(), "<4>bellhopd: one\n<3>bellhopd: two\n");
}
END_TEST

START_TEST(another_journal_stream)
{
    setenv("JOURNAL_STREAM", "9:99", 1);
    bh_log_open("bellhopd", false);
    bh_log(BH_WARN, "one");
    ck_assert_mem_eq(written(), "2026-", 5);
}
END_TEST

/* Whatever length: a line of at most 1,024 bytes, cut between characters. */
START_TEST(long_lines_are_cut)
{
    static char words[3000];
    size_t offset = (size_t)_i;

    memset(words, 'x', offset);
    for (size_t i = offset; i + 2 < sizeof words; i += 2)
        memcpy(words + i, _i % 2 ? "\xc3\xa9" : "\n\n", 2);
    bh_log(BH_INFO, "%s", words);
    const char *line = written();
    size_t len = strlen(line);
    ck_assert_uint_le(len, 1024);
    ck_assert_uint_ge(len, 1024 - 4);
    ck_assert_str_eq(line + len - 4, "\xe2\x80\xa6\n");
    ck_assert_mem_eq(line + len - (_i % 2 ? 6 : 8),
                     _i % 2 ? "\xc3\xa9" : "\\x0a", _i % 2 ? 2 : 4);
    ck_assert_ptr_eq(strchr(line, '\n'), line + len - 1);
}
END_TEST

START_TEST(a_full_line_is_not_cut)
{
    static char words[2000];
    size_t room = 1024 - 4 - strlen(prefix("info"));

    memset(words, 'x', room);
    bh_log(BH_INFO, "%s", words);
    ck_assert_uint_eq(strlen(written()), 1021);
    ck_assert_ptr_null(strstr(written(), "\xe2\x80\xa6"));
}
END_TEST

static void *
write_lines(void *arg)
{
    for (int i = 0; i < 500; i++)
        bh_log(BH_INFO, "thread %s says %d times the same", (char *)arg, 7);
    return NULL;
}

START_TEST(threads_keep_lines_whole)
{
    static char names[4][2] = {"a", "b", "c", "d"};
    pthread_t t[4];
    char expected[200];
    int lines = 0;

    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, write_lines, names[i]), 0);
    for (size_t i = 0; i < 4; i++) pthread_join(t[i], NULL);
    snprintf(expected, sizeof expected, "%sthread ? says 7 times the same",
             prefix("info"));
    char *mark = strchr(expected, '?'), *rest = NULL;
    (void)written();
    for (char *l = strtok_r(text, "\n", &rest); l != NULL;
         l = strtok_r(NULL, "\n", &rest), lines++) {
        ck_assert_uint_eq(strlen(l), strlen(expected));
        *mark = l[mark - expected];
        ck_assert_str_eq(l, expected);
    }
    ck_assert_int_eq(lines, 2000);
}
END_TEST

START_TEST(die_leaves_with_its_code)
{
    int status;

    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) bh_die(78, "no configuration: write one");
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 78);
    ck_assert_ptr_nonnull(
        strstr(written(), " error: no configuration: write one\n"));
}
END_TEST

static const struct {
    struct bh_str in;
    size_t size;
    const char *out;
} words[] = {
#define WORD(in, size, out)                                                    \
    {                                                                          \
        {in, sizeof in - 1}, size, out                                         \
    }
    WORD("", 10, "-"),
    WORD("org-1", 10, "org-1"),
    WORD("a b", 10, "a b"),
    WORD("a\nb", 10, "a\\x0ab"),
    WORD("a\0b", 10, "a\\x00b"),
    WORD("\"'\\", 20, "\\x22\\x27\\x5c"),
    WORD("caf\xc3\xa9", 10, "caf\xc3\xa9"),
    WORD("\xf0\x9f\x98\x80", 10, "\xf0\x9f\x98\x80"),
    WORD("\xed\x9f\xbf\xee\x80\x80", 10, "\xed\x9f\xbf\xee\x80\x80"),
    WORD("\xf4\x8f\xbf\xbf", 10, "\xf4\x8f\xbf\xbf"),
    WORD("\xc3", 10, "\\xc3"),
    WORD("\xc3(", 10, "\\xc3("),
    WORD("\x80", 10, "\\x80"),
    WORD("\xc0\x80", 10, "\\xc0\\x80"),
    WORD("\xc2\x9b", 10, "\\xc2\\x9b"),
    WORD("\xe0\x9f\xbf", 20, "\\xe0\\x9f\\xbf"),
    WORD("\xed\xa0\x80", 20, "\\xed\\xa0\\x80"),
    WORD("\xf0\x8f\xbf\xbf", 20, "\\xf0\\x8f\\xbf\\xbf"),
    WORD("\xf4\x90\x80\x80", 20, "\\xf4\\x90\\x80\\x80"),
    WORD("\xf5\x80\x80\x80", 20, "\\xf5\\x80\\x80\\x80"),
    WORD("\xff", 10, "\\xff"),
    WORD("abcdef", 4, "abc"),
    WORD("abc", 4, "abc"),
    WORD("ab\n", 6, "ab"),
    WORD("ab\n", 7, "ab\\x0a"),
    WORD("ab\xc3\xa9", 4, "ab"),
    WORD("", 1, ""),
    WORD("x", 1, ""),
#undef WORD
};

START_TEST(foreign_words)
{
    char out[32];

    memset(out, '#', sizeof out);
    ck_assert_ptr_eq(
        bh_log_word(out, words[_i].size, words[_i].in.p, words[_i].in.len),
        out);
    ck_assert_str_eq(out, words[_i].out);
    ck_assert_int_eq(out[words[_i].size], '#');
}
END_TEST

START_TEST(fields_have_no_space)
{
    char out[32];

    ck_assert_str_eq(bh_log_field(out, sizeof out, "a b=\"c\n", 7),
                     "a\\x20b=\\x22c\\x0a");
    ck_assert_str_eq(bh_log_field(out, sizeof out, "", 0), "-");
    ck_assert_str_eq(bh_log_field(out, 3, "a b", 3), "a");
}
END_TEST

Suite *
check_log(void)
{
    Suite *s = suite_create("log");
    TCase *tc = tcase_create("lines");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_line);
    tcase_add_test(tc, levels);
    tcase_add_test(tc, errno_is_kept);
    tcase_add_test(tc, the_errno_of_the_caller);
    tcase_add_test(tc, nothing_forges_a_line);
    tcase_add_test(tc, journal_lines);
    tcase_add_test(tc, another_journal_stream);
    tcase_add_loop_test(tc, long_lines_are_cut, 0, 8);
    tcase_add_test(tc, a_full_line_is_not_cut);
    tcase_add_test(tc, threads_keep_lines_whole);
    tcase_add_test(tc, die_leaves_with_its_code);
    suite_add_tcase(s, tc);
    tc = tcase_create("words");
    tcase_add_loop_test(tc, foreign_words, 0, bh_countof(words));
    tcase_add_test(tc, fields_have_no_space);
    suite_add_tcase(s, tc);
    return s;
}
