/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Metrics: numbers that are counted while the gate runs, for Prometheus. Declared in the file
 * that counts, at its top, with nothing else to do: it registers itself.
 *
 *	METRIC_COUNTER(auths, "gatepost_auth_total", "AUTH exchanges.", "mechanism", "result");
 *	METRIC_GAUGE(workers, "gatepost_workers", "Worker threads.", NULL);
 *
 *	metric_add(&auths, 1, METRIC_LABELS(mech->name, "refused"));
 *	metric_add(&workers, -1, NULL);
 *
 * Counters end in _total and only grow. A label's value comes from a set that the code or the
 * configuration bounds (a link's name, a listener's address, a literal), NEVER from a peer: no
 * login, no domain, no client address, no reply's text. Adding takes no lock; any thread may.
 * Every name stands in docs/OPERATIONS.md (make lint looks).
 */
#ifndef GATEPOST_BASE_METRICS_H
#define GATEPOST_BASE_METRICS_H

#include "lib/base/attr.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define METRIC_LABELS_MAX 3
/* Combinations of label values of one metric; further ones count together as "other". */
#define METRIC_SERIES_MAX 500
#define METRIC_SLOTS	  1024 /* a power of two, well over METRIC_SERIES_MAX */

enum metric_type { METRIC_TYPE_COUNTER, METRIC_TYPE_GAUGE };

struct metric_series;

struct metric { /* made by the macros below; nobody else touches its members */
	enum metric_type type;
	const char *name, *help;
	const char *labels[METRIC_LABELS_MAX]; /* names; NULL behind the last one */
	atomic_int_fast64_t value;	       /* without labels */
	atomic_int_fast64_t other;	       /* combinations over METRIC_SERIES_MAX */
	atomic_size_t count;		       /* of series */
	struct metric_series *_Atomic slots[METRIC_SLOTS]; /* by hash; kept for ever */
	struct metric *next;
};

/* The last arguments are the labels' names, or NULL for none. */
#define METRIC_COUNTER(variable, name_, help_, ...) \
	METRIC_DECLARE(variable, METRIC_TYPE_COUNTER, name_, help_, __VA_ARGS__)
#define METRIC_GAUGE(variable, name_, help_, ...) \
	METRIC_DECLARE(variable, METRIC_TYPE_GAUGE, name_, help_, __VA_ARGS__)

#define METRIC_DECLARE(variable, type_, name_, help_, ...)                                   \
	static struct metric variable;                                                       \
	__attribute__((constructor)) static void variable##_register(void)                   \
	{                                                                                    \
		metric_register(&variable);                                                  \
	}                                                                                    \
	static struct metric variable = {                                                    \
		.type = (type_), .name = (name_), .help = (help_), .labels = { __VA_ARGS__ } \
	}

#define METRIC_LABELS(...) ((const char *const[METRIC_LABELS_MAX]){ __VA_ARGS__ })

void metric_register(struct metric *m); /* the macros' own */

/* metric_add - a counter's n is positive. As many values as the metric has labels; copied. */
void metric_add(struct metric *m, int64_t n, const char *const values[METRIC_LABELS_MAX]);

/*
 * metric_cell - where that combination is counted, from now on and for ever: for who counts it
 * very often, by metric_count, and spares itself the search.
 */
typedef atomic_int_fast64_t metric_cell;
metric_cell *metric_find_cell(struct metric *m, const char *const values[METRIC_LABELS_MAX]);

static inline void
metric_count(metric_cell *cell)
{
	atomic_fetch_add_explicit(cell, 1, memory_order_relaxed);
}

/* metric_value - of one combination, 0 when it was never counted: for tests. */
int64_t metric_value(struct metric *m, const char *const values[METRIC_LABELS_MAX]);

/*
 * metrics_print - all of them by name, in Prometheus' text format, version 0.0.4. False: the
 * buffer's cap was reached.
 */
struct buf;
MUST_CHECK bool metrics_print(struct buf *out);

#endif
