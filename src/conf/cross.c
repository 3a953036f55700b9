/*
 * Bounds that depend on other settings. The error stands at the place of highest precedence, since
 * that one brought the misfit, and names the other: either may be the one to change.
 */
#include "conf/cross.h"

#include <inttypes.h>

#include "base/macros.h"
#include "conf/value.h"

/* A message must fit into ring and mailboxes this often, or one could lap all readers. */
enum { MESSAGE_SHARE = 4 };

static const struct share {
	const char *part, *whole;
} shares[] = {
	{ "gateway.max_payload", "gateway.ring_bytes" },
	{ "gateway.max_payload", "gateway.mailbox_bytes" },
};

static void
report_share(struct draft *d, const struct setting *part, const struct setting *whole)
{
	const char *part_place = d->conf->sources[settings_index(part)];
	const char *whole_place = d->conf->sources[settings_index(whole)];
	int64_t part_bytes = value_integer(d->conf, part);
	int64_t whole_bytes = value_integer(d->conf, whole);

	if (draft_layer_of(d, part) >= draft_layer_of(d, whole))
		conf_report_add(d->report, part_place, part->key,
		    "must be at most %" PRId64 ", a quarter of %s (%" PRId64 ", %s), not %" PRId64,
		    whole_bytes / MESSAGE_SHARE, whole->key, whole_bytes, whole_place, part_bytes);
	else
		conf_report_add(d->report, whole_place, whole->key,
		    "must be at least %" PRId64 ", four times %s (%" PRId64 ", %s), not %" PRId64,
		    part_bytes * MESSAGE_SHARE, part->key, part_bytes, part_place, whole_bytes);
}

static bool
share_fits(const struct conf *conf, const struct setting *part, const struct setting *whole)
{
	return value_integer(conf, part) <= value_integer(conf, whole) / MESSAGE_SHARE;
}

static void
check_share(struct draft *d, const struct share *share)
{
	const struct setting *part = settings_by_key(span_cstr(share->part));
	const struct setting *whole = settings_by_key(span_cstr(share->whole));

	if (draft_is_bad(d, part) || draft_is_bad(d, whole))
		return;
	if (!share_fits(d->conf, part, whole))
		report_share(d, part, whole);
}

static void
check_tls_file(struct draft *d, const char *key)
{
	const struct setting *enabled = settings_by_key(SPAN("gateway.tls_enabled"));
	const struct setting *file = settings_by_key(span_cstr(key));

	if (draft_is_bad(d, enabled) || draft_is_bad(d, file))
		return;
	if (value_bool(d->conf, enabled) && *value_string(d->conf, file) == '\0')
		conf_report_add(d->report, d->conf->sources[settings_index(enabled)], file->key,
		    "must be set, since gateway.tls_enabled is true");
}

void
cross_check(struct draft *d)
{
	check_tls_file(d, "gateway.tls_cert");
	check_tls_file(d, "gateway.tls_key");
	for (size_t i = 0; i < ARRAY_LEN(shares); i++)
		check_share(d, &shares[i]);
}

bool
cross_holds(const struct conf *conf)
{
	for (size_t i = 0; i < ARRAY_LEN(shares); i++) {
		const struct setting *part = settings_by_key(span_cstr(shares[i].part));

		if (!share_fits(conf, part, settings_by_key(span_cstr(shares[i].whole))))
			return false;
	}
	return true;
}
