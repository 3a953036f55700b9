/*
 * The names of the causes for which connections end (bus/ledger.h), and what people are told of each.
 */
#pragma once

#include "base/span.h"
#include "bus/ledger.h"

/* What is known of a cause. */
struct cause {
	const char *name;  /* "slow-consumer": on the wire, in metrics */
	const char *limit; /* the setting that was reached; NULL: none */
	/* A sentence without its subject, "was closed because it ..."; and what can be done about it. */
	const char *what, *advice;
};

/* The cause of that number; that of LEDGER_UNKNOWN where there is none. */
const struct cause *cause_at(unsigned cause);

/* The cause of that name; NULL: there is none. */
const struct cause *cause_by_name(struct span name);

/* The name alone, for the table of metrics. */
const char *cause_name(unsigned cause);

/* What an HTTP answer with this status, behind which the connection is closed, means for it. */
enum ledger_cause cause_of_http(int status);

/* What an error of the connection's stream (-errno) means for it. */
enum ledger_cause cause_of_stream(int error);

/* What `details.reason` of a hello-error means for the connection; NULL is allowed. */
enum ledger_cause cause_of_refusal(const char *reason);
