/* check_metric.c: one table of figures, and all that follows from it agrees:
 * JSON, Prometheus' text, docs/metrics.md. */
#include "metric.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "suites.h"

static struct bh_report r;
static struct bh_buf out;

static void
start(void)
{
    uint64_t n = 1000;

    memset(&r, 0, sizeof r);
    r.broker_up = true;
    r.n_domains = 2;
    strcpy(r.domains[0].name, "tasks");
    strcpy(r.domains[1].name, "orders");
    for (int d = 0; d < 2; d++)
        for (int i = 0; i < BH_DOMAIN_METRIC_N; i++) r.domains[d].v[i] = n++;
    for (int i = 0; i < BH_BROKER_METRIC_N; i++) r.broker[i] = n++;
    for (int i = 0; i < BH_WORKER_METRIC_N; i++) r.worker[i] = n++;
    for (int i = 0; i < BH_REFUSAL_COUNT; i++) r.refused[i] = n++;
    for (int i = 0; i < BH_LOCAL_METRIC_N; i++) r.local[i] = n++;
    r.domains[0].latency = (struct bh_latency){.count = 10,
                                               .sum = 123,
                                               .p50 = 1,
                                               .p90 = 2,
                                               .p99 = 3,
                                               .max = 4,
                                               .within = {5, 10}};
}

static void
finish(void)
{
    bh_buf_fini(&out);
}

static struct bh_str
name(const char *s)
{
    return (struct bh_str){s, strlen(s)};
}

static cJSON *
json(const char *domain)
{
    bh_buf_reset(&out);
    bh_report_json(&out, &r, name(domain));
    ck_assert(!out.failed);
    cJSON *root = cJSON_Parse(bh_buf_cstr(&out));
    ck_assert_msg(root != NULL, "%s", out.p);
    return root;
}

/* The member at a dotted path, which must be there. */
static const cJSON *
at(const cJSON *o, const char *path)
{
    char part[64];

    while (*path != '\0') {
        size_t len = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)len, path);
        o = cJSON_GetObjectItemCaseSensitive(o, part);
        ck_assert_msg(o != NULL, "no %s", part);
        path += len + (path[len] == '.');
    }
    return o;
}

static void
expect(const cJSON *root, const struct bh_metric *rows, int n,
       const uint64_t *v)
{
    for (int i = 0; i < n; i++)
        ck_assert_int_eq((int64_t)at(root, rows[i].path)->valuedouble,
                         (int64_t)v[i]);
}

START_TEST(json_has_every_row)
{
    cJSON *root = json("orders");

    expect(root, bh_domain_metrics, BH_DOMAIN_METRIC_N, r.domains[1].v);
    expect(root, bh_broker_metrics, BH_BROKER_METRIC_N, r.broker);
    expect(root, bh_worker_metrics, BH_WORKER_METRIC_N, r.worker);
    expect(root, bh_local_metrics, BH_LOCAL_METRIC_N, r.local);
    ck_assert_str_eq(at(root, "domain")->valuestring, "orders");
    ck_assert(cJSON_IsTrue(at(root, "up")));
    ck_assert(cJSON_IsNull(at(root, "latency_ms.p50"))); /* none yet */
    ck_assert_int_eq(at(root, "refused.gone")->valueint,
                     (int)r.refused[BH_GONE]);
    cJSON_Delete(root);
    root = json("tasks");
    ck_assert_int_eq(at(root, "latency_ms.p99")->valueint, 3);
    ck_assert_int_eq(at(root, "subscribers.active_count")->valueint,
                     (int)(r.domains[0].v[BH_M_POLLS] +
                           r.domains[0].v[BH_M_STREAMS] +
                           r.domains[0].v[BH_M_LINES]));
    ck_assert_double_eq_tol(at(root, "buffers.avg_per_org")->valuedouble,
                            (double)r.domains[0].v[BH_M_BUFFERED] /
                                (double)r.domains[0].v[BH_M_ORGS],
                            0.001);
    cJSON_Delete(root);
}
END_TEST

/* Each name once in each object: a parser may take either. */
static void
expect_unique(const cJSON *o)
{
    for (const cJSON *a = o->child; a; a = a->next) {
        for (const cJSON *b = a->next; b; b = b->next)
            ck_assert_str_ne(a->string, b->string);
        expect_unique(a);
    }
}

START_TEST(json_is_well_formed)
{
    cJSON *root = json("tasks");

    expect_unique(root);
    cJSON_Delete(root);
    root = json("another"); /* nothing has happened there */
    ck_assert_int_eq(at(root, "events.published_total")->valueint, 0);
    cJSON_Delete(root);
}
END_TEST

START_TEST(without_a_broker_nothing_is_claimed)
{
    r.broker_up = false;
    r.n_domains = 0;
    cJSON *root = json("tasks");

    ck_assert(cJSON_IsFalse(at(root, "up")));
    ck_assert(cJSON_IsNull(at(root, "events.published_total")));
    ck_assert(cJSON_IsNull(at(root, "buffers.avg_per_org")));
    ck_assert(cJSON_IsNull(at(root, "refused.gone")));
    ck_assert(cJSON_IsNull(at(root, "log.lag")));
    ck_assert_int_eq(at(root, "log.rows")->valueint,
                     (int)r.local[BH_M_LOG_ROWS]);
    cJSON_Delete(root);
    bh_buf_reset(&out);
    bh_report_prometheus(&out, &r);
    ck_assert_ptr_nonnull(strstr(bh_buf_cstr(&out), "bellhop_broker_up 0\n"));
    ck_assert_ptr_null(strstr(out.p, "bellhop_events_published_total"));
    ck_assert_ptr_null(strstr(out.p, "bellhop_log_lag"));
    ck_assert_ptr_nonnull(strstr(out.p, "bellhop_log_rows "));
}
END_TEST

static void
expect_line(const char *domain, const struct bh_metric *m, uint64_t v)
{
    char line[256], labels[128] = "";

    if (domain[0] != '\0' || m->label[0] != '\0')
        snprintf(labels, sizeof labels, "{%s%s%s%s%s}",
                 domain[0] ? "domain=\"" : "", domain, domain[0] ? "\"" : "",
                 domain[0] && m->label[0] ? "," : "", m->label);
    snprintf(line, sizeof line, "\n%s%s %llu\n", m->name, labels,
             (unsigned long long)v);
    ck_assert_msg(strstr(out.p, line) != NULL, "no %s in %s", line, out.p);
}

START_TEST(prometheus_has_every_row)
{
    bh_report_prometheus(&out, &r);
    bh_buf_cstr(&out);
    for (int d = 0; d < 2; d++)
        for (int i = 0; i < BH_DOMAIN_METRIC_N; i++)
            expect_line(r.domains[d].name, &bh_domain_metrics[i],
                        r.domains[d].v[i]);
    for (int i = 0; i < BH_BROKER_METRIC_N; i++)
        expect_line("", &bh_broker_metrics[i], r.broker[i]);
    for (int i = 0; i < BH_WORKER_METRIC_N; i++)
        expect_line("", &bh_worker_metrics[i], r.worker[i]);
    for (int i = 0; i < BH_LOCAL_METRIC_N; i++)
        expect_line("", &bh_local_metrics[i], r.local[i]);
}
END_TEST

/* HELP, TYPE, and the samples of one name after them, all together. */
START_TEST(prometheus_is_in_order)
{
    char current[128] = "", seen[8192] = "", word[130], *line, *rest;

    bh_report_prometheus(&out, &r);
    bh_buf_cstr(&out);
    ck_assert_int_eq(out.p[out.len - 1], '\n');
    rest = out.p;
    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        if (strncmp(line, "# HELP ", 7) == 0) {
            snprintf(current, sizeof current, "%.*s",
                     (int)strcspn(line + 7, " "), line + 7);
            snprintf(word, sizeof word, " %s ", current);
            ck_assert_msg(strstr(seen, word) == NULL, "%s twice", current);
            strcat(seen, word);
        } else if (strncmp(line, "# TYPE ", 7) != 0) {
            ck_assert_msg(strncmp(line, current, strlen(current)) == 0,
                          "%s under %s", line, current);
        }
    }
}
END_TEST

static char *
read_docs(void)
{
    static char text[65536];
    FILE *f = fopen(BH_TEST_DIR "/../docs/metrics.md", "re");

    ck_assert_ptr_nonnull(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

static void
expect_documented(const char *docs, const struct bh_metric *rows, int n)
{
    const char *what = "";
    char line[1024];

    for (int i = 0; i < n; i++) {
        const struct bh_metric *m = &rows[i];
        bool label = m->label[0] != '\0';
        if (m->what[0] != '\0') what = m->what;
        snprintf(line, sizeof line, "\n| `%s` | `%s%s%s%s` | %s | %s |\n",
                 m->path, m->name, label ? "{" : "", m->label, label ? "}" : "",
                 m->kind == BH_METRIC_COUNTER ? "counter" : "gauge", what);
        ck_assert_msg(strstr(docs, line) != NULL, "docs/metrics.md lacks %s",
                      line);
    }
}

START_TEST(documented)
{
    const char *docs = read_docs();
    int rows = 0;

    expect_documented(docs, bh_domain_metrics, BH_DOMAIN_METRIC_N);
    expect_documented(docs, bh_worker_metrics, BH_WORKER_METRIC_N);
    expect_documented(docs, bh_broker_metrics, BH_BROKER_METRIC_N);
    expect_documented(docs, bh_local_metrics, BH_LOCAL_METRIC_N);
    for (const char *p = docs; (p = strstr(p, "\n| `")); p++) rows++;
    /* Three that follow from others, refusals, the broker's being there. */
    ck_assert_int_eq(rows, BH_DOMAIN_METRIC_N + BH_WORKER_METRIC_N +
                               BH_BROKER_METRIC_N + BH_LOCAL_METRIC_N + 5);
}
END_TEST

Suite *
check_metric(void)
{
    Suite *s = suite_create("metric");
    TCase *t = tcase_create("metric");

    tcase_add_checked_fixture(t, start, finish);
    tcase_add_test(t, json_has_every_row);
    tcase_add_test(t, json_is_well_formed);
    tcase_add_test(t, without_a_broker_nothing_is_claimed);
    tcase_add_test(t, prometheus_has_every_row);
    tcase_add_test(t, prometheus_is_in_order);
    tcase_add_test(t, documented);
    suite_add_tcase(s, t);
    return s;
}
